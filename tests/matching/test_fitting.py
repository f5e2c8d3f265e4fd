"""Weights learned from decisions, and put to use by an operator."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import update
from typer.testing import CliRunner

from ketnoi.cli import app
from ketnoi.environment import Environment
from ketnoi.errors import LauncherError, UsageError
from ketnoi.local import LocalServers
from ketnoi.operator.weights import export_decisions, fit_weights
from shared.contracts.matches import MatchState
from svc_matching.engine import fitting
from svc_matching.engine.decisions import Decision, as_factors, read_decisions
from svc_matching.engine.fitting import TooFewDecisionsError, TooManyDecisionsError, fit
from svc_matching.engine.weights import (
    COMPONENTS,
    Weights,
    load_weights,
    named_weights,
    parse_weights,
    shipped_weights,
    weights_text,
)
from svc_matching.settings import Settings
from svc_matching.storage import tables
from svc_matching.usecases.epochs import freeze_when_due, keep_epochs, rank_pending
from svc_matching.worker import build_transactions

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

OTHERS = replace(
    load_weights(),
    base=0.3,
    suitability_share=0.2,
    feasibility_share=0.5,
    relevance=(0.3, 0.3, 0.2, 0.1, 0.1),
    feasibility=(0.8, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0),
)


def scores_of(decisions: Sequence[Decision], weights: Weights) -> Any:
    about, others = as_factors(decisions)
    suitability = [weights.suitability_share * each for each in weights.suitability]
    feasibility = [weights.feasibility_share * each for each in weights.feasibility]
    return (about @ weights.relevance) * (others @ [weights.base, *suitability, *feasibility])


def decided_by(taste: Weights, demands: int, seed: int = 0, noise: float = 0.03) -> list[Decision]:
    """Decisions of people who go by `taste`, more or less: of eight they choose two."""
    draw = np.random.default_rng(seed)
    found: list[Decision] = []
    for demand in range(demands):
        values = draw.random((8, len(COMPONENTS)))
        known = draw.random(values.shape) < 0.7
        known[:, 0] = True
        offers = [
            Decision(
                demand_id=UUID(int=demand + 1),
                supply_id=UUID(int=1_000 * (demand + 1) + number),
                decision=MatchState.DISMISSED,
                components={
                    name: float(value) if sure else None
                    for name, value, sure in zip(COMPONENTS, row, is_known, strict=True)
                },
            )
            for number, (row, is_known) in enumerate(zip(values, known, strict=True))
        ]
        liked = scores_of(offers, taste) + draw.logistic(size=8) * noise
        for place in np.argsort(-liked)[:2].tolist():
            state = (MatchState.SHORTLISTED, MatchState.ENGAGED)[place % 2]
            offers[place] = offers[place].model_copy(update={"decision": state})
        found += offers
    return found


def distance(one: Weights, other: Weights) -> float:
    a, b = named_weights(one), named_weights(other)
    return sum(abs(a[name] - b[name]) for name in a)


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "RESAMPLES", 20)


@pytest.mark.usefixtures("few_resamples")
def test_weights_move_towards_what_people_went_by() -> None:
    present = load_weights()
    fitted = fit(decided_by(OTHERS, 120), present, "new")
    assert fitted.is_better
    assert fitted.after.log_loss < 0.75 * fitted.before.log_loss
    assert fitted.after.accuracy > fitted.before.accuracy + 0.03
    assert distance(fitted.weights, OTHERS) < 0.5 * distance(present, OTHERS)
    changes = {change.name: change for change in fitted.changes}
    price = changes["feasibility.price"]
    assert (price.before, price.after) == (0.4, fitted.weights.feasibility[0])
    assert price.low <= price.after <= price.high
    assert price.low > 0.4
    # People who decide by other weights are seen to by fresh eyes, too.
    fresh = decided_by(OTHERS, 60, seed=9)
    assert agreement(fresh, fitted.weights) > agreement(fresh, present) + 0.02


def agreement(decisions: list[Decision], weights: Weights) -> float:
    """Return how often the two that were chosen are the first two."""
    scores = scores_of(decisions, weights).reshape(-1, 8)
    chosen = np.array([each.is_chosen for each in decisions]).reshape(-1, 8)
    first = np.argsort(-scores, axis=1)[:, :2]
    return float(np.take_along_axis(chosen, first, axis=1).mean())


@pytest.mark.usefixtures("few_resamples")
def test_where_people_agree_with_the_present_weights_they_stay() -> None:
    present = load_weights()
    fitted = fit(decided_by(present, 120), present, "new")
    assert distance(fitted.weights, present) < 0.25
    assert not fitted.is_better or fitted.before.log_loss - fitted.after.log_loss < 0.01


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("seed", range(3))
def test_decisions_by_lot_teach_nothing(seed: int) -> None:
    present = load_weights()
    fitted = fit(decided_by(present, 120, seed, noise=100.0), present, "new")
    assert fitted.before.accuracy < 0.6
    assert fitted.after.log_loss > 0.6
    assert distance(fitted.weights, present) < 0.01
    assert not fitted.is_better


@pytest.mark.usefixtures("few_resamples")
def test_new_weights_are_convex_keep_the_rest_and_do_not_depend_on_order() -> None:
    decisions, present = decided_by(OTHERS, 40), load_weights()
    fitted = fit(decisions, present, "new")
    assert fit(decisions[::-1], present, "new") == fitted
    text = weights_text(fitted.weights, "a note")
    assert parse_weights(text) == fitted.weights
    rest = ("list_size", "floor", "relevant", "near_misses", "used_age_years")
    assert [getattr(fitted.weights, name) for name in rest] == [
        getattr(present, name) for name in rest
    ]


def test_too_few_decisions_are_refused_with_their_number() -> None:
    decisions = decided_by(OTHERS, 40)
    with pytest.raises(TooFewDecisionsError, match=r"199 decisions .* at least 200 decisions"):
        fit(decisions[:199], load_weights(), "new")
    one_sided = [each for each in decisions if each.demand_id.int > 29 or each.is_chosen]
    one_sided += [
        each for each in decided_by(OTHERS, 300) if each.demand_id.int > 40 and each.is_chosen
    ]
    with pytest.raises(TooFewDecisionsError, match="11 of them with both a chosen and a dismissed"):
        fit(one_sided, load_weights(), "new")


def test_too_many_comparisons_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "MAX_PAIRS", 479)
    with pytest.raises(TooManyDecisionsError, match="480 comparisons"):
        fit(decided_by(OTHERS, 40), load_weights(), "new")


def test_an_unused_family_keeps_its_inner_weights() -> None:
    task = fitting._Task(load_weights())
    parameters = np.concatenate([[0.5, 0.5, 0, 0, 0], [3.0], np.zeros(7), [1.0], np.zeros(6)])
    weights = task.weights(parameters, "new")
    assert (weights.base, weights.suitability_share, weights.feasibility_share) == (0.75, 0, 0.25)
    assert weights.suitability == load_weights().suitability
    assert weights.feasibility == (1, 0, 0, 0, 0, 0, 0)


@hypothesis_settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=7, max_size=7))
def test_any_fit_is_written_as_weights_that_can_be_read(values: list[float]) -> None:
    shares = fitting._shares(np.array(values), load_weights().suitability)
    weights = replace(load_weights(), suitability=shares)
    assert parse_weights(weights_text(weights, "a note")) == weights


def test_the_shipped_file_is_what_is_written_of_it() -> None:
    weights = load_weights()
    assert parse_weights(weights_text(weights, "a note")) == weights


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('version = "2026.4"', "", "needs a version"),
        ("terms = 0.50", "terms = -0.50", "relevance.terms must be a number, not below 0"),
        ("terms = 0.50", "terms = nan", "relevance.terms must be a number"),
        ("terms = 0.50", 'terms = "much"', "relevance.terms must be a number"),
        ("terms = 0.50", "word = 0.50", r"\[relevance\] must have exactly terms, fields"),
        ("size = 20", "size = 20.5", "lists.size must be a whole number"),
        ("[rules]", "[rule]", "unknown in a weights file: rule"),
        ("terms = 0.50", "terms = 0.60", "weights of relevance must add up to 1"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(old: str, new: str, told: str) -> None:
    assert old in shipped_weights()
    with pytest.raises(ValueError, match=told):
        parse_weights(shipped_weights().replace(old, new))


def test_settings_refuse_a_weights_file_that_cannot_be_used(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("version = 3")
    with pytest.raises(ValueError, match=r"broken\.toml: a weights file needs a version"):
        Settings(weights_path=broken)
    with pytest.raises(ValueError, match=r"absent\.toml: .*No such file"):
        Settings(weights_path=tmp_path / "absent.toml")


GOOD = decided_by(OTHERS, 1)[0].model_dump_json()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([GOOD, GOOD], "line 2: this pair was decided on a line before"),
        (["", "{"], "line 2: .*Invalid JSON"),
        ([GOOD.replace("DISMISSED", "PROPOSED")], "line 1: decision Input should be"),
        ([GOOD.replace('"terms"', '"term"')], "line 1: components .*must be exactly terms"),
        ([GOOD.replace('"terms":0.', '"terms":7.')], "line 1: components.terms Input should be"),
    ],
)
def test_a_line_that_is_no_decision_is_named(lines: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_decisions(lines, 10)


def test_a_file_of_too_many_decisions_is_refused() -> None:
    lines = [decision.model_dump_json() for decision in decided_by(OTHERS, 1)]
    assert len(read_decisions(lines, 8)) == 8
    with pytest.raises(ValueError, match="more than 7 decisions"):
        read_decisions(lines, 7)


# The whole way, on the tables.


@pytest.fixture
def operator(matching_servers: LocalServers, tmp_path: Path) -> Environment:
    return Environment.read({"DATABASE_URL": matching_servers.admin_database_url}, tmp_path)


async def decide(world: World, *, decisions: int) -> None:
    """Rank 40 demands; people choose what is within the budget and dismiss what is not."""
    budget = 1_000_000_000
    prices = (8, 9, 10, 14, 20, 30)
    supplies = [
        world.supply(
            trl=9 if price > 10 else 6,
            price={"min": price * budget // 10, "currency": "VND"},
        )
        for price in prices
    ]
    demands = [
        world.demand(trl_min=5, budget={"max": budget, "currency": "VND"}) for _ in range(40)
    ]
    await world.tell(*supplies, *demands)
    cheap = {
        supply.aggregate_id for supply, price in zip(supplies, prices, strict=True) if price <= 10
    }
    rows = (await world.rows(tables.match))[:decisions]
    async with world.transactions.database.begin() as connection:
        for row in rows:
            state = MatchState.ENGAGED if row.supply_id in cheap else MatchState.DISMISSED
            await connection.execute(
                update(tables.match).where(tables.match.c.id == row.id).values(state=state.value)
            )


@pytest.mark.usefixtures("few_resamples")
async def test_an_operator_fits_new_weights_and_puts_them_to_use(
    world: World,
    ask: Ask,
    settings: Settings,
    operator: Environment,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await decide(world, decisions=240)
    world.transactions.matcher.rules_changed = True
    await freeze_when_due(world.transactions)
    while await rank_pending(world.transactions):
        pass
    before = {row.id: row for row in await world.rows(tables.match)}
    file, exported = tmp_path / "mine.toml", tmp_path / "decisions.jsonl"
    fitting_it = asyncio.to_thread(
        fit_weights, operator, file, version="2026.4-ours", decisions=None, weights=None
    )
    await fitting_it
    report = json.loads((tmp_path / "mine.report.json").read_text())
    assert report["n"] == {"decisions": 240, "chosen": 120, "demands": 40, "pairs": 360}
    assert (report["from_version"], report["version"]) == ("2026.4", "2026.4-ours")
    held_out = report["held_out"]
    assert held_out["after"]["log_loss"] < held_out["before"]["log_loss"]
    weights = {each["name"]: each for each in report["weights"]}
    assert weights["feasibility.price"]["after"] > weights["feasibility.price"]["before"]
    assert "Nothing that runs has changed" in capsys.readouterr().out
    assert {row.id: row for row in await world.rows(tables.match)} == before

    # The same from an exported file.
    await asyncio.to_thread(export_decisions, operator, exported)
    again = tmp_path / "again.toml"
    await asyncio.to_thread(
        fit_weights, operator, again, version="2026.4-ours", decisions=exported, weights=None
    )
    assert again.read_text() == file.read_text()

    # A start with the new file opens an epoch of its own and ranks every list by it; a start
    # without it goes back.
    for path, version in ((file, "2026.4-ours"), (None, "2026.4")):
        await restart(world, settings.model_copy(update={"weights_path": path}))
        rows = {row.id: row for row in await world.rows(tables.match)}
        assert {row.weights_version for row in rows.values()} == {version}
        newest = max(await world.rows(tables.epoch), key=lambda row: row.number)
        assert newest.weights_version == version
        assert {row.index_epoch for row in rows.values()} == {newest.number}
        assert {row.state for row in rows.values()} == {"ENGAGED", "DISMISSED"}
        same = {found: row.score == before[found].score for found, row in rows.items()}
        assert all(same.values()) is (path is None)
        demand = next(iter(rows.values())).demand_id
        items = (await ask(f"/v1/demands/{demand}/matches")).json()["items"]
        assert len(items) == 6
        for item in items:
            total = sum(round(1e6 * part["contribution"]) for part in item["components"])
            assert total == round(1e6 * item["score"])
            assert item["engine"]["weights_version"] == version


async def restart(world: World, settings: Settings) -> None:
    """What a worker with these settings does after its start, until nothing waits."""
    transactions = build_transactions(settings)
    matcher = transactions.matcher
    stop = asyncio.Event()
    async with transactions.begin():
        pass
    loop = asyncio.create_task(keep_epochs(transactions, stop))
    async with asyncio.timeout(20):
        while matcher.rules_changed or matcher.has_pending or not matcher.engine.statistics.epoch:
            await asyncio.sleep(0.02)
    stop.set()
    await loop
    matcher.close()
    await transactions.database.close()


async def test_too_few_decisions_write_nothing(
    world: World, operator: Environment, tmp_path: Path
) -> None:
    await decide(world, decisions=150)
    file = tmp_path / "mine.toml"
    with pytest.raises(LauncherError, match=r"150 decisions .* Nothing was written"):
        await asyncio.to_thread(
            fit_weights, operator, file, version="new", decisions=None, weights=None
        )
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))


def test_neither_a_file_nor_a_version_is_used_twice(operator: Environment, tmp_path: Path) -> None:
    decisions = tmp_path / "decisions.jsonl"
    decisions.write_text("".join(f"{d.model_dump_json()}\n" for d in decided_by(OTHERS, 40)))
    file = tmp_path / "mine.toml"
    with pytest.raises(UsageError, match=r"2026\.4 is the present version"):
        fit_weights(operator, file, version="2026.4", decisions=decisions, weights=None)
    file.write_text("precious")
    with pytest.raises(UsageError, match=r"mine\.toml exists"):
        fit_weights(operator, file, version="new", decisions=decisions, weights=None)
    assert file.read_text() == "precious"


@pytest.mark.usefixtures("few_resamples")
def test_the_command_line_fits_a_file_and_refuses_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("KETNOI_")]:
        monkeypatch.delenv(name)
    decisions, file = tmp_path / "decisions.jsonl", tmp_path / "ours.toml"
    asked = ["weights", "fit", str(file), "--version", "ours", "--decisions", str(decisions)]
    lines = [f"{each.model_dump_json()}\n" for each in decided_by(OTHERS, 40)]
    decisions.write_text("".join(lines[:100]))
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 1
    assert "ketnoi: Too little to learn from: 100 decisions" in refused.output
    assert not file.exists()
    decisions.write_text("".join(lines))
    done = CliRunner().invoke(app, asked)
    assert (done.exit_code, parse_weights(file.read_text()).version) == (0, "ours")
    assert "Better on what it has not seen." in done.output
