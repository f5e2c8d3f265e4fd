"""The refusal of a whole file."""

from shared.kernel.errors import FieldError, InvalidError


class UnreadableFileError(InvalidError):
    """The file cannot be read at all; `code` says why."""

    def __init__(self, code: str, en: str, vi: str) -> None:
        super().__init__(code, en, vi, errors=(FieldError("/file", code, en, vi),))
