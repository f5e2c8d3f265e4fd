"""The clients table and the signing key."""
