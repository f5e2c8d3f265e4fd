"""The relay asks for numbers higher than the highest it has sent."""

from shared.outbox import relay

_CURSOR = "seq > (SELECT coalesce(max(seq), 0) FROM outbox WHERE published_at IS NOT NULL)"
assert "published_at IS NULL" in relay._OLDEST
relay._OLDEST = relay._OLDEST.replace("published_at IS NULL", _CURSOR)
