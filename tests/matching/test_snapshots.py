"""A start from a snapshot serves what a start from the tables serves, whatever harmed the file."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared.kernel.faults import EXIT_CODE, VARIABLE
from svc_matching.engine import snapshots
from svc_matching.engine.engine import Engine
from svc_matching.engine.snapshots import Origin
from svc_matching.usecases import snapshots as usecase
from svc_matching.usecases.epochs import freeze_when_due, rank_pending
from svc_matching.usecases.snapshots import save_when_due

World = Any
TITLES = ["Máy sấy chè bơm nhiệt", "Máy bơm nước", "Lò hơi đốt trấu", "Tea dryer", "녹차 건조기"]


@pytest.fixture
async def saving(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """Some supplies and demands of one epoch, in a service that saves when a test says so."""
    matcher = world.transactions.matcher

    async def later(_: object) -> bool:
        return False

    monkeypatch.setattr("svc_matching.usecases.epochs.save_when_due", later)
    matcher.snapshot_folder, matcher.saved = tmp_path / "snap", (0, 0)
    languages = ["vi", "vi", "vi", "en", "ko"]
    sent = [
        world.supply(
            title=title,
            language=language,
            specifications=[{"name": "công suất", "min": 300, "unit": "kg/h"}],
            price={"min": 10**8, "currency": "VND"},
        )
        for title, language in zip(TITLES, languages, strict=True)
    ]
    world.sent = sent
    await world.tell(world.demand(), world.demand(title=TITLES[2]), *sent)
    await _freeze(world)
    try:
        yield world
    finally:
        matcher.snapshot_folder = None


async def _freeze(world: World) -> None:
    world.transactions.matcher.rules_changed = True
    await freeze_when_due(world.transactions)
    while await rank_pending(world.transactions):
        pass


def _lists(engine: Engine) -> dict[UUID, Any]:
    rankings = {demand_id: engine.rank(demand_id) for demand_id in engine.demands.slots.ids()}
    return {
        demand_id: (
            [(pair.supply_id, pair.score, pair.relevance, pair.reasons) for pair in found.listed],
            [(pair.supply_id, pair.relevance, pair.reasons) for pair in found.missed],
        )
        for demand_id, found in rankings.items()
    }


async def _started(world: World, folder: Path | None) -> Engine:
    """Start the index anew, from a snapshot if there is a usable one."""
    matcher = world.transactions.matcher
    matcher.snapshot_folder, matcher.loaded = folder, False
    async with world.transactions.begin() as work:
        await matcher.need_demands(work.connection)
    return matcher.engine  # type: ignore[no-any-return]


async def _restarted_alike(world: World, folder: Path) -> tuple[Engine, Engine]:
    """Return the index of a start with snapshots and of one without; both rank the same."""
    restored, cold = await _started(world, folder), await _started(world, None)
    assert _lists(restored) == _lists(cold)
    assert sum(len(listed) for listed, _ in _lists(cold).values()) > 0
    for supply_id in cold.supplies.slots.ids():
        slots = [engine.supplies.slots.get(supply_id) for engine in (restored, cold)]
        facts = [
            engine.supplies.columns.facts[slot]
            for engine, slot in zip((restored, cold), slots, strict=True)
        ]
        assert facts[0] == facts[1]
    return restored, cold


def _is_mapped(engine: Engine) -> bool:
    """Whether the base is the file itself, shared with other processes."""
    return not engine.supplies._rows._base.terms.flags.owndata


async def test_a_start_from_a_snapshot_takes_what_has_changed_from_the_table(
    saving: World,
) -> None:
    folder = saving.transactions.matcher.snapshot_folder
    assert await save_when_due(saving.transactions)
    assert not await save_when_due(saving.transactions)
    changed, gone, held = saving.sent[:3]
    await saving.tell(
        saving.later(changed, title="Máy sấy chè vi sóng"),
        saving.later(gone, "WITHDRAWN"),
        saving.later(held, "ON_HOLD"),
        saving.supply(title="Máy sấy chè bằng trấu"),
        saving.demand(title=TITLES[0]),
    )
    restored, _ = await _restarted_alike(saving, folder)
    assert len(restored.supplies.slots) == len(TITLES)
    assert _is_mapped(restored)


async def test_a_snapshot_is_written_again_for_a_new_epoch_and_one_is_kept(saving: World) -> None:
    folder = saving.transactions.matcher.snapshot_folder
    for _ in range(4):
        assert await save_when_due(saving.transactions)
        await _freeze(saving)
    kept = sorted(path.name for path in folder.iterdir())
    assert len(kept) == 2
    # The newest epoch has no snapshot yet: those of epochs before are refused.
    restored, _ = await _restarted_alike(saving, folder)
    assert not _is_mapped(restored)


async def test_a_snapshot_follows_many_changes_when_the_input_pauses(
    saving: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher = saving.transactions.matcher
    assert await save_when_due(saving.transactions)
    monkeypatch.setattr(usecase, "_FEW", 2)
    await saving.tell(*(saving.supply(title=title) for title in TITLES))
    assert not await save_when_due(saving.transactions)
    matcher.supplies_changed_at = None
    assert await save_when_due(saving.transactions)


@pytest.mark.parametrize("harm", ["flipped", "cut", "gone", "no manifest", "no json"])
async def test_a_damaged_snapshot_is_refused_and_the_tables_serve(saving: World, harm: str) -> None:
    folder = saving.transactions.matcher.snapshot_folder
    assert await save_when_due(saving.transactions)
    (path,) = folder.iterdir()
    manifest, cells = path / "manifest.json", path / "cells.npy"
    content = bytearray(cells.read_bytes())
    content[-1] ^= 1
    {
        "flipped": lambda: cells.write_bytes(content),
        "cut": lambda: cells.write_bytes(content[:-8]),
        "gone": cells.unlink,
        "no manifest": manifest.unlink,
        "no json": lambda: manifest.write_text("{"),
    }[harm]()
    restored, _ = await _restarted_alike(saving, folder)
    assert not _is_mapped(restored)


@pytest.mark.parametrize("part", ["format", "analyser", "vocabulary", "epoch", "statistics"])
async def test_a_snapshot_of_another_origin_is_refused(saving: World, part: str) -> None:
    folder = saving.transactions.matcher.snapshot_folder
    assert await save_when_due(saving.transactions)
    (path,) = folder.iterdir()
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["origin"][part] = "other"
    (path / "manifest.json").write_text(json.dumps(manifest))
    restored, _ = await _restarted_alike(saving, folder)
    assert not _is_mapped(restored)


async def test_a_disk_that_takes_no_snapshot_stops_nothing(saving: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    saving.transactions.matcher.snapshot_folder = tmp_path / "file" / "snap"
    assert not await save_when_due(saving.transactions)


PROGRAM = """
import sys
from pathlib import Path
from svc_matching.engine import snapshots
from svc_matching.engine.engine import Engine
from svc_matching.engine.snapshots import Origin
held = Engine(year=2026).hold().held({})
for epoch in (1, 2):
    snapshots.write(Path(sys.argv[1]), Origin.of("a", "v", epoch, b""), held)
"""


@pytest.mark.parametrize(("passage", "found"), [(1, None), (2, None), (3, 1), (4, 1), (0, 2)])
def test_a_kill_while_a_snapshot_is_written_leaves_the_one_before(
    tmp_path: Path, passage: int, found: int | None
) -> None:
    order = {VARIABLE: f"snapshot_part:{passage}"} if passage else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path], env=os.environ | order, capture_output=True
    )
    assert done.returncode == (EXIT_CODE if passage else 0), done.stderr.decode()[-500:]
    usable = [
        epoch
        for epoch in (1, 2)
        if snapshots.read(tmp_path, Origin.of("a", "v", epoch, b""))[0] is not None
    ]
    assert (usable[-1] if usable else None) == found
    origin = Origin.of("a", "v", 3, b"")
    snapshots.write(tmp_path, origin, Engine(year=2026).hold().held({}))
    assert snapshots.read(tmp_path, origin)[0] is not None
    assert len(list(tmp_path.iterdir())) <= 2
