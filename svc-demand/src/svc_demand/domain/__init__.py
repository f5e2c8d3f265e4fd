"""Rules of demands: no I/O, no await."""
