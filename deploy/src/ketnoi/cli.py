"""The operator's command line. Each verb lives in a module of its own, imported when called."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from ketnoi.environment import Environment
from ketnoi.errors import LauncherError

app = typer.Typer(
    name="ketnoi",
    help="Ketnoi: technology demand and supply, matched. Start it, set it up, look after it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def explained(verb: Callable[[Environment], None]) -> None:
    """Run a verb; what a person can put right is a message on stderr and an exit code."""
    try:
        verb(Environment.read(os.environ, Path.cwd()))
    except LauncherError as error:
        sys.stderr.write(f"ketnoi: {error}\n")
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


@app.command()
def run() -> None:
    """Start everything in the foreground; Ctrl-C stops it."""
    from ketnoi.launcher import run_suite

    explained(lambda environment: asyncio.run(run_suite(environment)))


@app.command()
def provision() -> None:
    """Set up the servers of DATABASE_URL and NATS_URL: roles, schemas, tables, streams."""
    from ketnoi.provision_command import provision_existing

    explained(provision_existing)


def main() -> None:
    """Entry point."""
    app()
