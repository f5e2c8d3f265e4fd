"""What an operator does beside a running suite: import, look, repair, show."""
