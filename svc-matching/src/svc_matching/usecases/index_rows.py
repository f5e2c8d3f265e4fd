"""Stored items into the engine; all of it runs in the engine's thread."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared.contracts.demands import DemandProfile, DemandStatus
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from svc_matching.domain.items import ItemKind, is_offered
from svc_matching.engine.columns import INDEXED_STATUSES
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.pairs import Bar
from svc_matching.engine.statistics import Frozen, Statistics, freeze
from svc_matching.engine.views import View, unpack
from svc_matching.storage import items


def read_profile(kind: ItemKind, profile: str) -> DemandProfile | SupplyProfile:
    """Read a stored profile."""
    if kind is ItemKind.DEMAND:
        return DemandProfile.model_validate_json(profile)
    return SupplyProfile.model_validate_json(profile)


def put_demand(
    engine: Engine, demand_id: UUID, profile: DemandProfile, views: tuple[View, ...]
) -> None:
    engine.put_demand(demand_id, demand_facts(profile, views), views)


def put_supply(
    engine: Engine,
    supply_id: UUID,
    profile: SupplyProfile,
    status: SupplyStatus,
    views: tuple[View, ...],
    *,
    weigh: bool = True,
) -> None:
    """Add or replace a supply, or remove it when it is neither ranked nor a near miss."""
    if status in INDEXED_STATUSES and is_offered(profile.visibility):
        engine.put_supply(supply_id, supply_facts(profile, status, views), views, weigh=weigh)
    else:
        engine.drop_supply(supply_id)


def adopt(engine: Engine, newest: tuple[int, bytes] | None) -> None:
    """Weigh by the newest frozen statistics, or by none before the first epoch."""
    if newest is None:
        engine.adopt(freeze(0, (), engine.lexicon))
    else:
        engine.adopt(Statistics.load(*newest, engine.lexicon))


def read_frozen(newest: Row[Any] | None) -> Frozen:
    """Return what the newest epoch weighs by, without an engine."""
    lexicon = Lexicon()
    if newest is None:
        return Frozen.of(freeze(0, (), lexicon), lexicon)
    return Frozen.of(Statistics.load(newest.number, newest.statistics, lexicon), lexicon)


def load_rows(engine: Engine, rows: list[items.ItemRow], *, weigh: bool) -> None:
    """Put items into the index that it does not hold yet."""
    for row in rows:
        profile, views = read_profile(row.kind, row.profile), unpack(row.analysis)
        if isinstance(profile, SupplyProfile):
            put_supply(engine, row.id, profile, SupplyStatus(row.status), views, weigh=weigh)
        elif row.status == DemandStatus.PUBLISHED:
            put_demand(engine, row.id, profile, views)
            engine.set_bar(row.id, Bar(row.bar, row.bar, row.bar))


def replace_rows(
    engine: Engine, rows: list[items.ItemRow], doubted: frozenset[UUID], *, weigh: bool = True
) -> None:
    """Put items into the index as the tables have them now."""
    for item_id in doubted:
        engine.drop_demand(item_id)
        engine.drop_supply(item_id)
    load_rows(engine, rows, weigh=weigh)
