"""Rules: what counts, from when, and for whom."""
