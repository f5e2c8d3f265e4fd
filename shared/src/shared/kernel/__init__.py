"""The smallest common ground: ids, clock, errors and Vietnamese-safe text."""
