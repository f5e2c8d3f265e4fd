"""Ketnoi's own engine, through what the service calls."""

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import psutil

from load.matching.corpus import Corpus, demand_id, number_of
from load.matching.timing import (
    Figures,
    array_megabytes,
    each,
    milliseconds,
    proportional_megabytes,
    say,
    timed,
)
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.engine import Engine
from svc_matching.engine.features import pack_features
from svc_matching.engine.matched import DemandText, SupplyText
from svc_matching.engine.pairs import Ranking

YEAR = 2026
NEEDED_KB = 10
"""Memory a supply takes at most while the index is built: without it nothing is begun."""
RANKED, FEW_RANKED = 5000, 200
"""Demands that are ranked for their bars, below and from LARGE on; the others are dealt bars of
these, and then it means nothing how many are affected."""
LARGE = 500_000
NEW_SUPPLIES = 200


class Bench:
    """An engine filled with so many supplies of a corpus."""

    def __init__(self, corpus: Corpus, size: int, queries: int) -> None:
        self.corpus = corpus
        self.size = size
        self.engine = Engine(year=YEAR)
        self.queries = queries
        self.asked: list[UUID] = []

    def build(self) -> Figures:
        available = psutil.virtual_memory().available
        if available < self.size * NEEDED_KB * 1024:
            raise NotMeasuredError(
                f"{self.size:,} supplies want up to {self.size * NEEDED_KB / 2**20:.1f} GB while"
                f" the index is built, {available / 2**30:.1f} GB are free"
            )
        before = proportional_megabytes()
        _, put = timed(self._put_all)
        statistics, frozen = timed(partial(self.engine.freeze, 1))
        _, adopted = timed(partial(self.engine.adopt, statistics))
        self._open(0, self.queries)
        self.asked = [demand_id(number) for number in range(self.queries)]
        self.engine.rank(self.asked[0])
        self.corpus.forget()
        return {
            "put_s": round(put[0], 2),
            "freeze_s": round(frozen[0], 2),
            "build_s": round(adopted[0], 2),
            "arrays_mb": array_megabytes(self.engine.supplies),
            "pss_mb": round(proportional_megabytes() - before, 1),
        }

    def _put_all(self) -> None:
        for number, (supply_id, facts, views) in enumerate(self.corpus.supplies(0, self.size)):
            self.engine.put_supply(supply_id, facts, views, weigh=False)
            if number and number % 100_000 == 0:
                say(f"  {number:,} supplies")

    def _open(self, start: int, stop: int) -> None:
        for found, facts, views in self.corpus.demands(start, stop):
            self.engine.put_demand(found, facts, views)

    def entry(self, found: UUID) -> DemandEntry:
        entry = self.engine.demands.get(found)
        if entry is None:
            raise KeyError(found)
        return entry

    def forward(self) -> Figures:
        """A whole demand: gates, score, list of 20 and its arithmetic; then the words of all 20.

        The list and its arithmetic are stored, the words are found when somebody reads them.
        """
        ranked, divided, worded, listed = [], [], [], 0
        wanted = {found: views for found, _, views in self.corpus.demands(0, self.queries)}
        self._words(self.engine.rank(self.asked[0]), wanted[self.asked[0]])
        for found in self.asked:
            ranking, rank = timed(partial(self.engine.rank, found))
            _, divide = timed(partial(pack_features, ranking.listed, self.engine.weights))
            for pair in ranking.listed:
                self.corpus.views(number_of(pair.supply_id))  # made here, read from a row there
            _, words = timed(partial(self._words, ranking, wanted[found]))
            ranked.append(rank)
            divided.append(divide)
            worded.append(words)
            listed += len(ranking.listed)
        stored = [sum(parts) for parts in zip(ranked, divided, strict=True)]
        whole = [sum(parts) for parts in zip(stored, worded, strict=True)]
        entries = [self.entry(found) for found in self.asked]
        asked = [query for entry in entries for query in entry.queries]
        return {
            "stored": milliseconds(stored),
            "rank": milliseconds(ranked),
            "arithmetic": milliseconds(divided),
            "words": milliseconds(worded),
            "whole": milliseconds(whole),
            "listed": round(listed / len(self.asked), 1),
            "queries_each": round(len(asked) / len(entries), 2),
            "terms_each_query": round(float(np.mean([len(query.ids) for query in asked])), 1),
        }

    def _words(self, ranking: Ranking, views: Any) -> None:
        text = DemandText(views, self.engine.frozen)
        for pair in ranking.listed:
            text.matched(SupplyText(self.corpus.views(number_of(pair.supply_id))))

    def sparse_part(self) -> Figures:
        """The demand's own words alone, against all supplies: what the peers are asked too."""
        return milliseconds(each(lambda entry: self.engine.supplies.terms([entry]), self.plain()))

    def plain(self) -> list[DemandEntry]:
        """Return each demand as if it asked by its own words alone."""
        entries = [self.entry(found) for found in self.asked]
        return [replace(entry, queries=entry.queries[:1]) for entry in entries]

    def reverse(self, demands: int) -> Figures:
        """New supplies against so many open demands."""
        say(f"  {demands:,} open demands")
        _, opened = timed(partial(self._open, self.queries, demands))
        ranked = min(demands, RANKED if self.size < LARGE else FEW_RANKED)
        sample = [demand_id(number) for number in range(ranked)]
        bars = [self.engine.bar(ranking) for ranking in self.engine.rank_many(sample)]
        for number in range(demands):
            self.engine.set_bar(demand_id(number), bars[number % len(bars)])
        upserts, concerned, scored, met = [], [], [], 0
        new = self.corpus.supplies(self.size, self.size + NEW_SUPPLIES)
        for number, (supply_id, facts, views) in enumerate(new):
            _, upsert = timed(partial(self.engine.put_supply, supply_id, facts, views))
            found, took = timed(partial(self.engine.concerned, [supply_id]))
            _, also = timed(partial(self.engine.score_many, found))
            if number > 1:
                upserts.append(upsert)
                concerned.append(took)
                scored.append(took + also)
            met += len(found)
        for supply_id, _, _ in self.corpus.supplies(self.size, self.size + NEW_SUPPLIES):
            self.engine.drop_supply(supply_id)
        return {
            "open_demands": demands,
            "affected": milliseconds(concerned),
            "affected_and_scored": milliseconds(scored),
            "affected_mean": round(met / NEW_SUPPLIES, 2) if ranked == demands else None,
            "upsert": milliseconds(upserts),
            "open_each_ms": round(1000 * opened[0] / max(1, demands - self.queries), 3),
            "arrays_mb": array_megabytes(self.engine.demands),
            "ranked_for_bars": ranked,
        }

    def impacts(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the terms and impacts of every supply, in the order of the corpus."""
        ids = (found for found, _, _ in self.corpus.supplies(0, self.size))
        slots = [self.engine.supplies.slots.get(found) for found in ids]
        rows = self.engine.supplies.rows_of([slot for slot in slots if slot is not None])
        return [(row[0], row[1]) for row in rows]


class NotMeasuredError(Exception):
    """This machine cannot measure it now; says why."""
