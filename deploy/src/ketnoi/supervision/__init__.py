"""Processes in order of readiness: forked, watched, restarted, stopped."""
