"""Time comes from a clock that tests can set; nothing else reads the wall clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

Clock = Callable[[], datetime]

VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam keeps UTC+7 all year; a date such as `needed_by` ends at midnight there."""


def utc_now() -> datetime:
    """Return the current time, aware and in UTC."""
    return datetime.now(UTC)


def vietnam_date(moment: datetime) -> date:
    """Return the calendar date in Vietnam at `moment`."""
    return moment.astimezone(VIETNAM).date()
