"""What is counted, row by row, against what the policy says of each row."""

import random
from collections import Counter
from itertools import product
from typing import Any

import pytest

from shared.contracts.base import Visibility
from shared.contracts.identity import ROLE_SCOPES, Caller, Role
from svc_reporting.domain.policy import pipeline_of, sight_of

EVER_PUBLISHED = {"PUBLISHED", "ON_HOLD", "EXPIRED", "FULFILLED"}
CALLERS = [
    ("anonymous", None),
    ("reader", None),
    ("enterprise", None),
    ("office", None),
    ("reporter", None),
    ("ops", None),
    ("operator", None),
    ("dost", "19"),
    ("dost", "06"),
    ("dost", "33"),
    ("dost", None),
]


def caller_of(role: str, province: str | None) -> Caller:
    return Caller(role=Role(role), province=province, scopes=ROLE_SCOPES[Role(role)])


@pytest.mark.parametrize("seed", range(2))
async def test_counts_are_of_the_rows_that_the_policy_shows(
    world: Any, ask: Any, seed: int
) -> None:
    """Demands, supplies and places in lists, of every status, visibility and province."""
    chance = random.Random(seed)
    demands = [
        (world.demand(status, visibility=seen_by, province=province), status, seen_by, province)
        for status, seen_by, province in product(
            ("SUBMITTED", *sorted(EVER_PUBLISHED)), Visibility, ("19", "06", "33", None)
        )
    ]  # fmt: skip
    supplies = [
        (world.supply(status, visibility=visibility, country=country), visibility, country)
        for status, visibility, country in product(
            ("PUBLISHED", "ON_HOLD"), Visibility, ("KR", "JP")
        )
    ]
    listed = {
        each[0].aggregate_id: chance.sample(supplies, chance.randint(0, len(supplies)))
        for each in demands
        if each[1] == "PUBLISHED"
    }
    lists = [
        world.ranking(demand, [supply for supply, *_ in listed[demand.aggregate_id]])
        for demand, *_ in demands
        if demand.aggregate_id in listed
    ]
    await world.tell(*(each[0] for each in demands), *(each[0] for each in supplies), *lists)
    for role, province in CALLERS:
        sight = sight_of(caller_of(role, province))
        found = await ask(role, **({"province": province} if province else {}))

        def counts(visibility: Any, place: str | None, sight: Any = sight) -> bool:
            everywhere = sight.everywhere or visibility in sight.visibilities
            return everywhere or place in sight.provinces

        seen = [each for each in demands if each[1] in EVER_PUBLISHED and counts(*each[2:])]
        offered = [each for each in supplies if counts(each[1], None)]
        places = Counter(
            country
            for demand, *_ in seen
            for _, visibility, country in listed.get(demand.aggregate_id, ())
            if counts(visibility, None)
        )
        funnel = found["funnel"]
        assert funnel["demands_published"] == len(seen), (role, province)
        assert funnel["supplies_published"] == len(offered), (role, province)
        assert funnel["matches"] == places.total(), (role, province)
        by_country = {e["country"]: e["count"] for e in found["matches"]["by_country"]}
        assert by_country == dict(places), (role, province)
        pipeline = pipeline_of(sight, None)
        received = [
            each
            for each in demands
            if pipeline and (pipeline.provinces is None or each[3] in pipeline.provinces)
        ]
        assert (found["pipeline"] or {"received": 0})["received"] == len(received)
