"""HTTP in: matches, diagnoses, the state of the index."""
