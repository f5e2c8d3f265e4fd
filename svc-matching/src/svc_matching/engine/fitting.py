"""Fit the weights to decisions: non-negative, pairwise logistic, held near the present ones.

Of two supplies that somebody decided about for one demand, the chosen one should have the higher
score: P(chosen before dismissed) = σ(sharpness × (score − score′)). Only pairs of one demand are
compared, as scores of two demands are not on one scale. The score is a product of two sums, so
both sets of weights are fitted together; a penalty on their distance from the present weights
keeps what decisions say nothing about. How strong it is, is chosen by cross-validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

from svc_matching.engine.decisions import Decision, as_factors
from svc_matching.engine.weights import (
    RELEVANCE,
    SUITABILITY,
    Weights,
    named_weights,
)

Values = NDArray[np.float64]
Numbers = NDArray[np.int64]

MIN_DECISIONS = 200
MIN_DEMANDS = 30
"""Demands for which somebody chose a supply and dismissed another; the others compare nothing."""
MAX_DECISIONS = 100_000
MAX_PAIRS = 200_000
FOLDS = 5
RESAMPLES = 200
STRENGTHS = (10.0, 100.0, 1_000.0, 10_000.0)
"""Of the penalty, as decisions: at 100, a distance of .1 costs as much as one lost decision."""
_SHARPNESS = 0.01, 200.0
_SEED = 2026
_DIGITS = 4


class TooFewDecisionsError(ValueError):
    """There are not enough decisions to learn weights from."""


class TooManyDecisionsError(ValueError):
    """There are more comparisons than are fitted at once."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well weights order decided pairs that they were not fitted to."""

    log_loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class WeightChange:
    """One weight before and after, and where 95 % of the resampled fits put it."""

    name: str
    before: float
    after: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """New weights, and what speaks for and against them."""

    weights: Weights
    decisions: int
    chosen: int
    demands: int
    pairs: int
    strength: float
    before: Quality
    after: Quality
    changes: tuple[WeightChange, ...]

    @property
    def is_better(self) -> bool:
        """Whether the new weights order decisions better that they have not seen.

        A gain that four digits do not show is none: chance makes as much.
        """
        better = self.before.log_loss - self.after.log_loss > 10**-_DIGITS
        return better and self.after.accuracy >= self.before.accuracy


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Chosen and dismissed supplies of one demand, side by side.

    `demands` numbers the demand of each pair; a demand counts as often as it has decisions.
    """

    about: Values
    others: Values
    chosen: Numbers
    dismissed: Numbers
    demands: Numbers
    counts: Values

    def of(self, demands: Numbers) -> "_Pairs":
        """Return the pairs of some demands; one named twice counts twice."""
        times = np.bincount(demands, minlength=int(self.demands.max()) + 1)[self.demands]
        kept = times > 0
        return replace(
            self,
            chosen=self.chosen[kept],
            dismissed=self.dismissed[kept],
            demands=self.demands[kept],
            counts=(self.counts * times)[kept],
        )

    def margins(self, about: Values, others: Values) -> Values:
        """Return by how much each chosen supply is above its dismissed one."""
        scores = (self.about @ about) * (self.others @ others)
        return np.asarray(scores[self.chosen] - scores[self.dismissed])

    def quality(self, about: Values, others: Values) -> Quality:
        margins = self.margins(about, others)
        right = (margins > 0) + 0.5 * (margins == 0)
        return Quality(
            float(np.average(np.logaddexp(0, -margins), weights=self.counts)),
            float(np.average(right, weights=self.counts)),
        )


def fit(decisions: Sequence[Decision], weights: Weights, version: str) -> Fitted:
    """Return weights fitted to decisions, under a new version; the present ones stay as they are.

    The same decisions give the same weights. Raises TooFewDecisionsError, TooManyDecisionsError.
    """
    pairs = _pairs_of(sorted(decisions, key=lambda each: (each.demand_id, each.supply_id)))
    task = _Task(weights)
    demands = np.random.default_rng(_SEED).permutation(np.unique(pairs.demands))
    strength = task.best_strength(pairs, demands)
    fitted = task.weights(task.fit(pairs, strength), version)
    before, after = task.held_out(pairs, demands)
    return Fitted(
        fitted,
        len(decisions),
        sum(decision.is_chosen for decision in decisions),
        len(demands),
        len(pairs.chosen),
        strength,
        before,
        after,
        task.changes(fitted, pairs, strength),
    )


def _pairs_of(decisions: Sequence[Decision]) -> _Pairs:
    groups: dict[str, tuple[list[int], list[int]]] = {}
    for number, decision in enumerate(decisions):
        sides = groups.setdefault(str(decision.demand_id), ([], []))
        sides[0 if decision.is_chosen else 1].append(number)
    compared = [sides for sides in groups.values() if all(sides)]
    if len(decisions) < MIN_DECISIONS or len(compared) < MIN_DEMANDS:
        raise TooFewDecisionsError(
            f"{len(decisions)} decisions about {len(groups)} demands, {len(compared)} of them with"
            f" both a chosen and a dismissed supply; at least {MIN_DECISIONS} decisions and"
            f" {MIN_DEMANDS} such demands are needed"
        )
    total = sum(len(chosen) * len(dismissed) for chosen, dismissed in compared)
    if total > MAX_PAIRS:
        raise TooManyDecisionsError(
            f"{total:,} comparisons of decisions, more than {MAX_PAIRS:,}; fit to fewer demands"
        )
    rows = [
        (won, lost, demand, (len(chosen) + len(dismissed)) / (len(chosen) * len(dismissed)))
        for demand, (chosen, dismissed) in enumerate(compared)
        for won in chosen
        for lost in dismissed
    ]
    chosen, dismissed, demands, counts = (np.array(column) for column in zip(*rows, strict=True))
    return _Pairs(*as_factors(decisions), chosen, dismissed, demands, counts)


class _Task:
    """The fit around one set of present weights.

    Parameters are the weights of both factors in one array, the second times the sharpness.
    """

    def __init__(self, weights: Weights) -> None:
        self._present = weights
        suitability = [weights.suitability_share * each for each in weights.suitability]
        feasibility = [weights.feasibility_share * each for each in weights.feasibility]
        self._about = np.array(weights.relevance)
        self._others = np.array([weights.base, *suitability, *feasibility])

    def sharpness(self, pairs: _Pairs) -> float:
        """Return how decided people are, by the present weights."""
        margins = pairs.margins(self._about, self._others)

        def loss(sharpness: float) -> float:
            return float(pairs.counts @ np.logaddexp(0, -sharpness * margins))

        return float(minimize_scalar(loss, bounds=_SHARPNESS, method="bounded").x)

    def fit(self, pairs: _Pairs, strength: float) -> Values:
        """Return the parameters of the least loss with penalty."""
        sharpness = self.sharpness(pairs)
        scale = np.concatenate([np.ones(len(self._about)), np.full(len(self._others), sharpness)])
        present = np.concatenate([self._about, self._others])
        size = len(pairs.about)

        def loss(scaled: Values) -> tuple[float, Values]:
            about, others = np.split(scaled * scale, [len(self._about)])
            left, right = pairs.about @ about, pairs.others @ others
            scores = left * right
            margins = scores[pairs.chosen] - scores[pairs.dismissed]
            pull = pairs.counts * expit(-margins)
            slope = np.bincount(pairs.dismissed, pull, size) - np.bincount(pairs.chosen, pull, size)
            away = scaled - present
            value = pairs.counts @ np.logaddexp(0, -margins) + strength * (away @ away)
            rise = [pairs.about.T @ (slope * right), pairs.others.T @ (slope * left)]
            return float(value), np.concatenate(rise) * scale + 2 * strength * away

        bounds = [(0, None)] * len(present)
        found = minimize(loss, present, jac=True, bounds=bounds, method="L-BFGS-B")
        return np.asarray(found.x * scale)

    def best_strength(self, pairs: _Pairs, demands: Numbers) -> float:
        """Return the strongest penalty that is no worse than the best on held-out demands.

        No worse: by less than one standard error of the difference over the folds. Where
        decisions do not tell, the present weights stay.
        """
        folds = _folds(pairs, demands)
        losses = {
            strength: np.array([self._test(fold, strength) for fold in folds])
            for strength in STRENGTHS
        }
        best = min(losses.values(), key=lambda each: float(each.mean()))
        return max(
            strength
            for strength, each in losses.items()
            if (each - best).mean() <= (each - best).std(ddof=1) / FOLDS**0.5
        )

    def _test(self, fold: tuple[_Pairs, _Pairs], strength: float) -> float:
        learned, tested = fold
        return tested.quality(*self._split(self.fit(learned, strength))).log_loss

    def held_out(self, pairs: _Pairs, demands: Numbers) -> tuple[Quality, Quality]:
        """Return how present and fitted weights do on folds that took no part in anything."""
        rows = []
        for learned, tested in _folds(pairs, demands):
            inner = demands[np.isin(demands, learned.demands)]
            strength = self.best_strength(learned, inner)
            sharp = self.sharpness(learned) * self._others
            before = tested.quality(self._about, sharp)
            after = tested.quality(*self._split(self.fit(learned, strength)))
            size = float(tested.counts.sum())
            rows.append((size, before.log_loss, before.accuracy, after.log_loss, after.accuracy))
        sizes, *columns = np.array(rows).T
        means = [float(np.average(column, weights=sizes)) for column in columns]
        return Quality(*means[:2]), Quality(*means[2:])

    def changes(self, fitted: Weights, pairs: _Pairs, strength: float) -> tuple[WeightChange, ...]:
        """Return every weight before and after, with an interval over resampled demands."""
        draw = np.random.default_rng(_SEED)
        demands = np.unique(pairs.demands)
        resampled = []
        for _ in range(RESAMPLES):
            some = pairs.of(draw.choice(demands, len(demands)))
            resampled.append([*named_weights(self.weights(self.fit(some, strength), "")).values()])
        low, high = np.percentile(resampled, [2.5, 97.5], axis=0).tolist()
        before, after = named_weights(self._present), named_weights(fitted)
        return tuple(
            WeightChange(
                name, before[name], after[name], round(least, _DIGITS), round(most, _DIGITS)
            )
            for name, least, most in zip(before, low, high, strict=True)
        )

    def _split(self, parameters: Values) -> tuple[Values, Values]:
        about, others = np.split(parameters, [len(RELEVANCE)])
        return about, others

    def weights(self, parameters: Values, version: str) -> Weights:
        """Return parameters as weights: each family adds up to 1, in four digits."""
        about, others = self._split(parameters)
        present = self._present
        suitability = others[1 : 1 + len(SUITABILITY)]
        feasibility = others[1 + len(SUITABILITY) :]
        shares = _shares(
            np.array([others[0], suitability.sum(), feasibility.sum()]),
            (present.base, present.suitability_share, present.feasibility_share),
        )
        return replace(
            present,
            version=version,
            base=shares[0],
            suitability_share=shares[1],
            feasibility_share=shares[2],
            relevance=_shares(about, present.relevance),
            suitability=_shares(suitability, present.suitability),
            feasibility=_shares(feasibility, present.feasibility),
        )


def _folds(pairs: _Pairs, demands: Numbers) -> list[tuple[_Pairs, _Pairs]]:
    """Return (learned, tested) for each fold; a demand is never on both sides."""
    parts = np.array_split(demands, FOLDS)
    return [(pairs.of(np.setdiff1d(demands, part)), pairs.of(part)) for part in parts]


def _shares(values: Values, present: tuple[float, ...]) -> tuple[float, ...]:
    """Return values as decimals that add up to 1; the present ones when all have become 0."""
    total = values.sum()
    if not total > 0:
        return present
    units = values / total * 10**_DIGITS
    whole = np.floor(units)
    missing = round(10**_DIGITS - whole.sum())
    whole[np.argsort(whole - units, kind="stable")[:missing]] += 1
    return tuple(round(each / 10**_DIGITS, _DIGITS) for each in whole.tolist())
