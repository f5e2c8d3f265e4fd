"""What the service does: take in items, keep lists and diagnoses, freeze epochs, answer reads."""
