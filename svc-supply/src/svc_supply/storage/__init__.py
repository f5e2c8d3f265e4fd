"""Where supplies live: tables and queries of this service's own schema."""
