"""Imports of whole files: a job that survives a restart, and an account of every refused row."""
