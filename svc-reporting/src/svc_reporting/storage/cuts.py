"""The rows that a caller's selection leaves, before anything is counted."""

from collections.abc import Sequence

from sqlalchemy import CTE, ColumnElement, Table, exists, func, literal, or_, select

from svc_reporting.domain.policy import PipelineSight, Sight
from svc_reporting.domain.selection import Selection
from svc_reporting.storage.tables import demand_fact, diagnosis_fact, match_fact, supply_fact

Condition = ColumnElement[bool]


def published_demands(selection: Selection, sight: Sight) -> CTE:
    """Demands ever published, each with its newest list and diagnosis."""
    demand, found, diagnosis = demand_fact.c, match_fact.c, diagnosis_fact.c
    visible = or_(demand.visibility.in_(sight.visibilities), demand.province.in_(sight.provinces))
    return (
        select(
            demand.status,
            demand.province,
            demand.fields,
            demand.published_month,
            demand.first_published_at,
            found.supply_ids,
            found.first_listed_at,
            found.first_matched_at,
            found.matched_month,
            diagnosis.diagnosis,
        )
        .select_from(demand_fact)
        .outerjoin(match_fact, found.demand_id == demand.id)
        .outerjoin(diagnosis_fact, diagnosis.demand_id == demand.id)
        .where(
            demand.first_published_at.is_not(None),
            visible,
            *_in_provinces(selection.provinces),
            *_in_field(demand_fact, selection),
            *_in_months(demand.published_month, selection),
        )
        .cte("demands")
    )


def received_demands(selection: Selection, sight: PipelineSight) -> CTE:
    """Demands ever submitted, published or not, where the caller may count them."""
    return (
        select(demand_fact.c.status)
        .where(
            *_in_provinces(sight.provinces),
            *_in_field(demand_fact, selection),
            *_in_months(demand_fact.c.received_month, selection),
        )
        .cte("received")
    )


def published_supplies(selection: Selection, sight: Sight) -> CTE:
    """Supplies ever published. A province selects demands only."""
    supply = supply_fact.c
    country = [supply.country == selection.country] if selection.country else []
    return (
        select(supply.status, supply.kind, supply.country, supply.fields, supply.published_month)
        .where(
            supply.first_published_at.is_not(None),
            supply.visibility.in_(sight.visibilities),
            *country,
            *_in_field(supply_fact, selection),
            *_in_months(supply.published_month, selection),
        )
        .cte("supplies")
    )


def places(demands: CTE, selection: Selection, sight: Sight) -> CTE:
    """The places in the lists of `demands`; the country is what the supply says now.

    A place counts for whoever may count its supply too.
    """
    place = func.unnest(demands.c.supply_ids).table_valued("supply_id").render_derived()
    supply = supply_fact.c
    return (
        select(demands.c.province, demands.c.matched_month, supply.country)
        .select_from(demands.join(place, literal(True)))
        .outerjoin(supply_fact, supply.id == place.c.supply_id)
        .where(
            *([supply.country == selection.country] if selection.country else []),
            *([] if sight.everywhere else [supply.visibility.in_(sight.visibilities)]),
        )
        .cte("places")
    )


def _in_provinces(provinces: frozenset[str] | None) -> Sequence[Condition]:
    return () if provinces is None else (demand_fact.c.province.in_(sorted(provinces)),)


def _in_field(table: Table, selection: Selection) -> Sequence[Condition]:
    """A broad field (`2`) takes its narrow ones (`2.11`) with it."""
    if selection.field is None:
        return ()
    element = func.unnest(table.c.fields).column_valued("element")
    within = or_(element == selection.field, element.startswith(f"{selection.field}."))
    return (exists(select(element).where(within)),)


def _in_months(month: ColumnElement[object], selection: Selection) -> Sequence[Condition]:
    limits: list[Condition] = []
    if selection.first_month is not None:
        limits.append(month >= selection.first_month)
    if selection.last_month is not None:
        limits.append(month <= selection.last_month)
    return limits
