"""What svc-matching reads from its environment."""

from shared.settings import MessagingSettings


class Settings(MessagingSettings):
    """Nothing of its own so far."""
