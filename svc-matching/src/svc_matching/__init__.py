"""svc-matching: ranked, explained matches of technology demand and supply, and diagnoses."""
