"""What svc-matching reads from its environment."""

from pydantic import Field

from shared.settings import MessagingSettings


class Settings(MessagingSettings):
    """`quiet_seconds`: how long the input must pause before the statistics are frozen anew."""

    quiet_seconds: float = Field(1.0, ge=0)
