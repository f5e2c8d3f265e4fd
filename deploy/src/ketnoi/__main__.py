"""`python -m ketnoi`: the same as the command `ketnoi`."""

from ketnoi.cli import main

main()
