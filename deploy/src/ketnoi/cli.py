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
from ketnoi.operator.language import Language

app = typer.Typer(
    name="ketnoi",
    help="Ketnoi: technology demand and supply, matched. Start it, set it up, look after it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dlq = typer.Typer(
    help="Dead letters: events that a service could not digest.", no_args_is_help=True
)
app.add_typer(dlq, name="dlq")
weights = typer.Typer(
    help="What counts how much: learned from decisions, never changed by itself.",
    no_args_is_help=True,
)
app.add_typer(weights, name="weights")

vocabulary = typer.Typer(help="The technology vocabulary.", no_args_is_help=True)
app.add_typer(vocabulary, name="vocabulary")


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
def status(
    url: Url = None,
    lang: Annotated[
        Language | None, typer.Option(help="vi or en; default: LC_ALL or LANG, else Vietnamese.")
    ] = None,
) -> None:
    """Show what is broken, since when and what to do; then every part. Exit 1: a part fails."""
    from ketnoi.operator.status import show_status

    explained(lambda environment: show_status(environment, url=url, language=lang))


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


ServiceName = Annotated[
    str | None, typer.Option(help="demand, supply, matching or reporting; default: all.")
]
ConsumerName = Annotated[str | None, typer.Option(help="Only of this consumer.")]
LetterId = Annotated[str, typer.Argument(help="As `ketnoi dlq list` shows it.")]


@dlq.command("list")
def dlq_list(
    service: ServiceName = None,
    consumer: ConsumerName = None,
    state: Annotated[
        str | None,
        typer.Option(help="RETRYING, OPEN, REDRIVE, REDRIVEN or DISCARDED; default: unsettled."),
    ] = None,
) -> None:
    """Show the events that a service could not digest."""
    from ketnoi.operator.dead_letters import list_letters

    explained(lambda env: list_letters(env, service=service, consumer=consumer, state=state))


@dlq.command("show")
def dlq_show(letter: LetterId) -> None:
    """Show one in full: headers, body, error, and what was done with it."""
    from ketnoi.operator.dead_letters import show_letter

    explained(lambda environment: show_letter(environment, letter))


@dlq.command("redrive")
def dlq_redrive(
    letter: Annotated[str | None, typer.Argument(help="As `ketnoi dlq list` shows it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    service: ServiceName = None,
    consumer: ConsumerName = None,
) -> None:
    """Have the service try again, once the cause is gone."""
    from ketnoi.operator.dead_letters import redrive_letters

    explained(
        lambda env: redrive_letters(
            env, letter, everything=everything, service=service, consumer=consumer
        )
    )


@dlq.command("discard")
def dlq_discard(
    letter: LetterId,
    reason: Annotated[str, typer.Option(help="Why; kept with the event.")],
) -> None:
    """Let one go for good; who did it, when and why stays on record."""
    from ketnoi.operator.dead_letters import discard_letter

    explained(lambda environment: discard_letter(environment, letter, reason=reason))


@weights.command("export")
def weights_export(
    file: Annotated[Path, typer.Argument(help="A new .jsonl file.")],
) -> None:
    """Write every decided match with its components, one JSON object a line."""
    from ketnoi.operator.weights import export_decisions

    explained(lambda environment: export_decisions(environment, file))


@weights.command("fit")
def weights_fit(
    output: Annotated[Path, typer.Argument(help="The new weights file; a report goes beside it.")],
    version: Annotated[str, typer.Option(help="The new version, as lists will name it.")],
    decisions: Annotated[
        Path | None, typer.Option(help="An exported .jsonl file; default: the suite's matches.")
    ] = None,
    present: Annotated[
        Path | None, typer.Option(help="The weights in use; default: those that ship.")
    ] = None,
) -> None:
    """Fit weights to decisions; nothing that runs changes. Exit 1: too few decisions."""
    from ketnoi.operator.weights import fit_weights

    explained(
        lambda environment: fit_weights(
            environment, output, version=version, decisions=decisions, weights=present
        )
    )


OneService = Annotated[str, typer.Argument(help="demand, supply, matching or reporting.")]


@app.command("new-epoch")
def new_epoch(service: OneService) -> None:
    """After a restore: let readers believe the service's reused versions."""
    from ketnoi.operator.new_epoch import new_epoch as raise_epoch

    explained(lambda environment: raise_epoch(environment, service=service))


@app.command()
def rebuild(
    service: OneService,
    accept_gaps: Annotated[
        bool, typer.Option("--accept-gaps", help="Also when old events are no longer kept.")
    ] = False,
) -> None:
    """Fill a service's tables anew from the events, beside the running service."""
    from ketnoi.operator.rebuild import rebuild as fill_anew

    explained(lambda environment: fill_anew(environment, service=service, accept_gaps=accept_gaps))


@vocabulary.command("untagged")
def vocabulary_untagged(
    language: Annotated[
        str | None, typer.Option(help="vi, en, ko, ja, zh or de; default: all.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Phrases to show.")] = 50,
    url: Url = None,
) -> None:
    """Show frequent phrases of published texts that no concept covers: what to propose next."""
    from ketnoi.operator.untagged import show_untagged

    explained(lambda environment: show_untagged(environment, language, limit, url=url))


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
