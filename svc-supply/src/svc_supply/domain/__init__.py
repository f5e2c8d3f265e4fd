"""Rules of supplies: no I/O, no await."""
