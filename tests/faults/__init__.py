"""Faults on real processes and links, and a checker that looks from outside; see README.md."""
