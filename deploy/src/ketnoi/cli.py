"""The operator's command line. Each verb lives in a module of its own, imported when called."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

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


class Kind(StrEnum):
    """What can be imported."""

    DEMANDS = "demands"
    SUPPLIES = "supplies"


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
    from ketnoi.provisioning.provision_command import provision_existing

    explained(provision_existing)


Url = Annotated[
    str | None, typer.Option(help="Address of the gateway; default: the suite on KETNOI_HOME.")
]


@app.command("import")
def import_(
    kind: Annotated[Kind, typer.Argument(help="What the rows are.")],
    file: Annotated[Path, typer.Argument(help="A .jsonl or .csv file of any size.")],
    errors: Annotated[
        Path | None, typer.Option(help="Write every refused row's errors here, as JSON lines.")
    ] = None,
    url: Url = None,
) -> None:
    """Import demands or supplies; the same file again changes nothing. Exit 3: rows refused."""
    from ketnoi.operator.importing import import_file

    explained(lambda environment: import_file(environment, kind, file, url=url, errors_to=errors))


@app.command()
def status(url: Url = None) -> None:
    """Show how every part is, since when, and what is wrong. Exit 1: a part fails."""
    from ketnoi.operator.status import show_status

    explained(lambda environment: show_status(environment, url=url))


@app.command()
def republish(
    service: Annotated[
        str | None, typer.Argument(help="demand, supply, matching or reporting; default: all.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only events from this day on.")
    ] = None,
) -> None:
    """Send kept events again, after the broker's store was lost; harmless where nothing was."""
    from ketnoi.operator.republish import republish as send_again

    day = since.date() if since else None
    explained(lambda environment: send_again(environment, service=service, since=day))


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option(help="A retrieval set (folder with META.json) to load instead.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which queries of the set.")] = "dev",
    url: Url = None,
) -> None:
    """Load the demo set beside a running suite and show the matches."""
    from ketnoi.operator.demo import run_demo

    explained(lambda environment: run_demo(environment, data=data, split=split, url=url))


def main() -> None:
    """Entry point."""
    app()
