"""`make bench-matching`, as a developer types it, on two thousand supplies: no time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = {"scipy CSC", "tantivy", "bm25s", "postgres ts_rank, GIN", "pgvector sparsevec, exact"}


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "load.matching", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=170,
    )


@pytest.mark.timeout(180)
def test_the_bench_measures_everything_that_it_shows(tmp_path: Path) -> None:
    done = bench("--sizes=2k", "--words=1k", "--demands=300", f"--out={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert "new supply → affected of 300" in done.stdout
    assert "2,000: Postgres" in done.stderr, "progress goes to stderr"
    (path,) = tmp_path.glob("*.json")
    found = json.loads(path.read_text())
    measured = found["sizes"]["2000"]
    assert set(measured["forward"]) >= {"stored", "rank", "words", "whole"}
    assert measured["forward"]["listed"] == 20
    assert measured["forward"]["queries_each"] > 2, "own words, sets of translations, concepts"
    assert measured["index"]["arrays_mb"] > 1
    (reverse,) = measured["reverse"]
    assert reverse["open_demands"] == 300
    assert 0 < reverse["affected_mean"] < 300
    named = {peer for peer in PEERS for name in measured["peers"] if name.startswith(peer)}
    assert named == PEERS
    for figures in (*measured["forward"].values(), reverse["affected"], measured["sparse"]):
        assert not isinstance(figures, dict) or 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert found["ratios"]["engine / scipy CSC"] > 0
    text = path.with_suffix(".md").read_text()
    assert all(name in done.stdout and name in text for name in measured["peers"])


def test_what_does_not_fit_is_said_and_not_made_up(tmp_path: Path) -> None:
    done = bench("--sizes=1000M", "--words=1k", "--no-peers", f"--out={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert "1,000,000,000: not measured: " in done.stdout
    (path,) = tmp_path.glob("*.json")
    assert set(json.loads(path.read_text())["sizes"]["1000000000"]) == {"not_measured"}


def test_a_size_that_is_none_is_refused_with_an_example() -> None:
    done = bench("--sizes=many")
    assert done.returncode == 2
    assert "22k,100k,1M" in done.stderr
