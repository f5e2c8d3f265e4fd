"""Ketnoi's local launcher and the operator's command line."""
