"""What svc-matching reads from its environment."""

from pathlib import Path

from pydantic import Field

from shared.settings import MessagingSettings


class Settings(MessagingSettings):
    """`quiet_seconds`: how long the input must pause before the statistics are frozen anew.

    `snapshot_folder`: where the index is kept for a short start; without it every start reads all.
    """

    quiet_seconds: float = Field(1.0, ge=0)
    snapshot_folder: Path | None = None
