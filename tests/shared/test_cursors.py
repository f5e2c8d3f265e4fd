import pytest

from shared.http.cursors import Cursors
from shared.kernel.errors import BadRequestError

CURSORS = Cursors("key")


def test_a_cursor_gives_back_its_position() -> None:
    assert CURSORS.read(CURSORS.write(["2026", 3], "list"), "list") == ["2026", 3]


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "ü", "=" * 40, "A" * 5000])
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequestError):
        CURSORS.read(cursor, "list")


def test_a_cursor_of_another_list_or_key_is_refused() -> None:
    cursor = CURSORS.write([1], "list of tenant a")
    for reader, scope in ((CURSORS, "list of tenant b"), (Cursors("other"), "list of tenant a")):
        with pytest.raises(BadRequestError):
            reader.read(cursor, scope)


def test_a_changed_cursor_is_refused() -> None:
    cursor = CURSORS.write([1], "list")
    changed = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    with pytest.raises(BadRequestError):
        CURSORS.read(changed, "list")
