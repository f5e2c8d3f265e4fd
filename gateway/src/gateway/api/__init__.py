"""HTTP in: the token endpoint, combined answers, documentation, and what passes through."""
