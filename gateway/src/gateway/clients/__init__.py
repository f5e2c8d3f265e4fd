"""HTTP out: the four services, each behind a bulkhead and a breaker."""
