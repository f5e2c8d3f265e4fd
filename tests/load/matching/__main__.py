"""`make bench-matching ARGS="--sizes=22k,100k,1M --no-peers"`: a table, markdown and JSON.

Each size has a process of its own, so that memory is its own and one that fails leaves the others.
Everything of ours runs in one thread. Trust ratios inside one run before absolute figures.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from load.matching import report
from load.matching.timing import Figures, say

if TYPE_CHECKING:
    from load.matching.ours import Bench

QUERIES = 100
FEW_QUERIES = 50
PEERS_UP_TO = 100_000
POSTGRES_UP_TO = 22_000
OPEN_DEMANDS = (5_000, 100_000)
REVERSE_ALL_FROM = 100_000
"""A hundred thousand demands are opened beside so many supplies, and not beside millions."""
SECONDS = 3600


def measure(size: int, *, peers: bool, reverse: tuple[int, ...], words: int | None) -> Figures:
    """Measure one size in this process."""
    from load.matching.corpus import GENERAL, Corpus
    from load.matching.ours import LARGE, Bench, NotMeasuredError

    say(f"{size:,}: making the corpus")
    bench = Bench(Corpus(words or GENERAL), size, QUERIES if size < LARGE else FEW_QUERIES)
    say(f"{size:,}: index")
    try:
        found: Figures = {"index": bench.build()}
    except NotMeasuredError as refused:
        return {"not_measured": str(refused)}
    say(f"{size:,}: whole demands")
    found["forward"] = bench.forward()
    found["sparse"] = bench.sparse_part()
    if peers and size <= PEERS_UP_TO:
        found["peers"] = _peers(bench, size)
    say(f"{size:,}: new supplies")
    found["reverse"] = [bench.reverse(demands) for demands in reverse]
    return found


def _peers(bench: "Bench", size: int) -> dict[str, Figures]:
    from load.matching import peers
    from load.matching.postgres import postgres

    rows, queries = bench.impacts(), [entry.queries[0] for entry in bench.plain()]
    found = {}
    for name, run in (
        ("scipy CSC", peers.scipy_csc),
        (f"tantivy {version('tantivy')}", peers.tantivy_index),
        (f"bm25s {version('bm25s')}, numba", peers.bm25s_index),
    ):
        say(f"{size:,}: {name}")
        found[name] = run(rows, queries)
    if size <= POSTGRES_UP_TO:
        say(f"{size:,}: Postgres")
        found |= postgres(rows, queries)
    return found


def _apart(size: int, out: Path, given: argparse.Namespace) -> Figures:
    """Measure one size in a process of its own."""
    path = out / f".bench-matching-{size}.json"
    command = [sys.executable, "-m", "load.matching", f"--only={size}", f"--out={path}"]
    command += ["--peers" if given.peers else "--no-peers"]
    command += [f"--words={given.words}"] if given.words else []
    command += [f"--demands={each}" for each in given.demands or ()]
    try:
        done = subprocess.run(command, timeout=SECONDS, check=False)
        if done.returncode:
            said = f"its process ended with {done.returncode}"
            return {"not_measured": said, "failed": True}
        return dict(json.loads(path.read_text()))
    except subprocess.TimeoutExpired:
        return {"not_measured": f"it took more than {SECONDS} s", "failed": True}
    finally:
        path.unlink(missing_ok=True)


def _size(text: str) -> int:
    units = {"k": 1000, "m": 1_000_000}
    return int(float(text[:-1]) * units[text[-1].lower()]) if text[-1].isalpha() else int(text)


def _sizes(text: str) -> list[int]:
    try:
        return sorted({_size(each) for each in text.split(",")})
    except (KeyError, ValueError, IndexError):
        raise argparse.ArgumentTypeError("sizes are written like 22k,100k,1M") from None


def _reverse(size: int, demands: list[int] | None) -> tuple[int, ...]:
    from load.matching.ours import LARGE

    if demands:
        return tuple(demands)
    return OPEN_DEMANDS if REVERSE_ALL_FROM <= size < LARGE else OPEN_DEMANDS[:1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-matching ARGS=…", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=_sizes("22k,100k,1M"))
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--demands", type=_size, action="append", help="open demands; may be many")
    parser.add_argument("--words", type=_size, help="words of a language; few for a quick look")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        reverse = _reverse(given.only, given.demands)
        found = measure(given.only, peers=given.peers, reverse=reverse, words=given.words)
        given.out.write_text(json.dumps(found))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    sizes = {size: _apart(size, given.out, given) for size in given.sizes}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    load = f"{os.getloadavg()[1]:.1f}"
    report.show(sizes, f"svc-matching, one thread, load {load}; ms as p50 / p99 (processor p50)")
    document = {
        "sizes": sizes,
        "ratios": report.ratios(sizes),
        "at": at,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": load,
    }
    path = given.out / f"bench-matching-{at.replace(':', '')}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    path.with_suffix(".md").write_text(report.markdown(sizes))
    print(path)
    if any(found.get("failed") for found in sizes.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
