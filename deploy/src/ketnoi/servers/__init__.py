"""The embedded PostgreSQL and nats-server: set up, started, asked how they are."""
