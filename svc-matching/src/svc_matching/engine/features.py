"""What a match row keeps of a pair: numbers only; words are made of them when somebody reads."""

from typing import Any
from uuid import UUID

from shared.contracts.matches import Component, Gate, Reason
from svc_matching.engine.engine import Engine
from svc_matching.engine.gates import GATE_NAMES
from svc_matching.engine.matched import MatchedTerm
from svc_matching.engine.pairs import Pair
from svc_matching.engine.scoring import break_down, confidence
from svc_matching.engine.weights import COMPONENTS, FAMILIES, MILLION

Features = dict[str, Any]


def pack_features(engine: Engine, demand_id: UUID, pair: Pair) -> Features:
    """Return the compact features of a freshly scored pair."""
    summands = break_down(pair.score, pair.about, pair.values, pair.known, engine.weights)
    met = engine.explain(demand_id, pair.supply_id)
    return {
        "components": [
            [each.value, each.weight, each.contribution, int(each.known)] for each in summands
        ],
        "terms": [[each.term, each.share] for each in met.terms],
        "coverage": met.coverage,
        "languages": engine.languages(demand_id, pair.supply_id),
        "gaps": [
            reason.model_dump(mode="json", exclude_none=True)
            for reason in engine.reasons(demand_id, pair)
        ],
    }


def confidence_of(engine: Engine, pair: Pair) -> int:
    """Return the pair's confidence in millionths."""
    return confidence(pair.known, engine.weights)


def components_of(features: Features) -> list[Component]:
    """Read the components back; their contributions add up to the score exactly."""
    return [
        Component(
            name=name,
            family=family,
            value=value / MILLION,
            weight=weight / MILLION,
            contribution=contribution / MILLION,
            known=bool(known),
        )
        for name, family, (value, weight, contribution, known) in zip(
            COMPONENTS, FAMILIES, features["components"], strict=True
        )
    ]


def terms_of(features: Features) -> list[MatchedTerm]:
    return [MatchedTerm(term, share) for term, share in features["terms"]]


def gaps_of(features: Features) -> list[Reason]:
    return [Reason.model_validate(gap) for gap in features["gaps"]]


def passed_gates() -> list[Gate]:
    """Return the gates of a listed pair: it passed them all."""
    return [Gate(name=name, passed=True) for name in GATE_NAMES.values()]
