"""Environment of svc-supply."""

from shared.settings import MessagingSettings


class Settings(MessagingSettings):
    """Nothing beside what every service with events has."""
