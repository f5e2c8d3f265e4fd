"""Facts in, counts out."""
