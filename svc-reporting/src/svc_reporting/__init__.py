"""Indicators and reports (báo cáo)."""
