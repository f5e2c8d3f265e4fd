"""Rules without I/O: where a path belongs, limits, the breaker, the merged document."""
