"""The life cycle, against the contract's table written out by hand."""

from datetime import UTC, date, datetime
from itertools import product

import pytest

from shared.contracts.demands import Demand, DemandProfile, DemandUpsert
from shared.contracts.demands import DemandStatus as S
from shared.contracts.identity import SYSTEM, Caller, Role
from shared.contracts.lifecycles import Change, Stored
from shared.kernel.errors import ConflictError, ForbiddenError, InvalidError, KetnoiError
from shared.kernel.ids import new_id
from svc_demand.domain import demands as rules
from svc_demand.domain.demand_lifecycle import CHECKLIST, FACTS, GUARDS, LIFECYCLE

NOW = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)  # already 1 July in Vietnam
OWNER = Caller(client_id="o", role=Role.ENTERPRISE, tenant="coop")
DOST = Caller(client_id="d", role=Role.DOST, tenant="dost-19", province="19")
OPERATOR = Caller(client_id="m", role=Role.OPERATOR, tenant="most")
CALLERS = {"owner": OWNER, "dost": DOST, "operator": OPERATOR, "system": SYSTEM}

TABLE = """
DRAFT RETURNED > SUBMITTED : owner dost operator
SUBMITTED > UNDER_REVIEW : dost operator
UNDER_REVIEW > RETURNED REJECTED VERIFIED : dost operator
VERIFIED > FORWARDED : dost operator
FORWARDED > PUBLISHED RETURNED : operator
PUBLISHED > ON_HOLD : owner dost operator
ON_HOLD > PUBLISHED : owner dost operator
PUBLISHED ON_HOLD > FULFILLED : owner operator system
PUBLISHED ON_HOLD > EXPIRED : system
EXPIRED > PUBLISHED : owner dost operator
DRAFT SUBMITTED UNDER_REVIEW RETURNED VERIFIED FORWARDED PUBLISHED ON_HOLD > WITHDRAWN : owner operator
REJECTED FULFILLED WITHDRAWN EXPIRED > ARCHIVED : operator system
"""  # noqa: E501 - a table


def _allowed() -> set[tuple[str, str, str]]:
    found = set()
    for line in TABLE.strip().splitlines():
        sources, rest = line.split(" > ")
        targets, who = rest.split(" : ")
        found |= set(product(sources.split(), targets.split(), who.split()))
    return found


def stored(status: S, *, announced: bool = True, **fields: object) -> Stored[Demand]:
    content = {
        "title": "t", "description": "d", "language": "vi", "kind": "TRANSFER", "province": "19",
    }  # fmt: skip
    demand = Demand.model_validate(
        {
            "id": new_id(),
            "version": 3,
            "status": status,
            "owner": "coop",
            "created_at": NOW,
            "updated_at": NOW,
            **content,
            **fields,
        }
    )
    return Stored(demand, announced)


def take(start: Stored[Demand], to: str, caller: Caller) -> Change[Demand]:
    return rules.move(
        start,
        to,
        reason="because",
        checklist=dict.fromkeys(CHECKLIST, False),
        caller=caller,
        now=NOW,
    )


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("source", S)
def test_every_move_is_allowed_exactly_as_the_contract_says(source: S, who: str) -> None:
    for target in S:
        # The date has passed exactly where that is what the move needs.
        needed_by = date(2026, 6, 30) if target is S.EXPIRED else date(2026, 7, 1)
        start = stored(source, needed_by=needed_by)
        if (source, target, who) in _allowed():
            change = take(start, target, CALLERS[who])
            assert change.after.resource.status == target
            assert change.after.resource.version == 4
            assert change.fact == FACTS[target]
        else:
            with pytest.raises(ConflictError) as refusal:
                take(start, target, CALLERS[who])
            assert refusal.value.code == "transition_not_allowed"
            assert refusal.value.extra["allowed"] == [
                to for to in _in_order(source) if (source, to, who) in _allowed()
            ]


def _in_order(source: str) -> list[str]:
    return [move.target for move in LIFECYCLE.moves if move.source == source]


def test_an_outsider_may_move_nothing() -> None:
    stranger = Caller(client_id="x", role=Role.ENTERPRISE, tenant="other")
    neighbour = Caller(client_id="y", role=Role.DOST, tenant="dost-20", province="20")
    for source, target in product(S, S):
        for caller in (stranger, neighbour, Caller()):
            with pytest.raises(ConflictError):
                take(stored(source), target, caller)


def test_a_merged_province_is_in_the_hands_of_the_dost_of_today() -> None:
    bac_kan = stored(S.SUBMITTED, province="06")
    assert take(bac_kan, S.UNDER_REVIEW, DOST).after.resource.status is S.UNDER_REVIEW


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        (S.UNDER_REVIEW, S.RETURNED, "reason_required"),
        (S.UNDER_REVIEW, S.REJECTED, "reason_required"),
        (S.UNDER_REVIEW, S.VERIFIED, "checklist_open"),
        (S.FORWARDED, S.RETURNED, "reason_required"),
        (S.PUBLISHED, S.ON_HOLD, "reason_required"),
        (S.ON_HOLD, S.PUBLISHED, "reason_required"),
        (S.PUBLISHED, S.WITHDRAWN, "reason_required"),
    ],
)
def test_a_move_without_what_it_needs_is_refused(source: S, target: S, code: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        rules.move(stored(source), target, reason=None, checklist=None, caller=OPERATOR, now=NOW)
    assert refusal.value.code == code


def test_an_incomplete_demand_names_what_is_missing() -> None:
    with pytest.raises(InvalidError) as refusal:
        take(stored(S.DRAFT, description=None, kind=None), S.SUBMITTED, OWNER)
    assert [error.pointer for error in refusal.value.errors] == ["/description", "/kind"]


def test_an_expired_demand_needs_a_new_date() -> None:
    with pytest.raises(ConflictError) as refusal:
        take(stored(S.EXPIRED, needed_by=date(2026, 6, 30)), S.PUBLISHED, OWNER)
    assert refusal.value.code == "new_date_required"


def test_a_day_ends_at_midnight_in_vietnam() -> None:
    published = take(stored(S.FORWARDED, needed_by=date(2026, 7, 1)), S.PUBLISHED, OPERATOR)
    assert published.after.resource.status is S.PUBLISHED
    late = take(stored(S.FORWARDED, needed_by=date(2026, 6, 30)), S.PUBLISHED, OPERATOR)
    assert late.after.resource.status is S.EXPIRED
    assert [step.target for step in late.steps] == ["PUBLISHED", "EXPIRED"]
    assert (late.steps[-1].role, late.fact) == ("system", "expired")


def test_drafts_are_silent_even_when_they_are_given_up() -> None:
    draft = stored(S.DRAFT, announced=False)
    edited = rules.edit(draft, DemandProfile(title="other"), caller=OWNER, now=NOW)
    assert edited is not None
    assert edited.fact is None
    given_up = take(draft, S.WITHDRAWN, OWNER)
    assert given_up.fact is None
    assert take(given_up.after, S.ARCHIVED, OPERATOR).fact is None


def test_every_status_but_draft_has_its_fact_and_every_guard_exists() -> None:
    assert set(FACTS) == set(S) - {S.DRAFT}
    assert {guard for move in LIFECYCLE.moves for guard in move.guards} == set(GUARDS)


ROW: dict[str, object] = {
    "title": "t", "description": "d", "language": "vi", "kind": "TRANSFER", "province": "19",
    "source_ref": {"system": "s", "ref": "1"},
}  # fmt: skip


def put(
    start: Stored[Demand] | None, *, caller: Caller = OPERATOR, **fields: object
) -> Change[Demand] | None:
    row = DemandUpsert.model_validate(ROW | fields)
    known = rules.standing(start) if start else None
    return rules.upsert(known, row, new_id=new_id(), caller=caller, recorded_as="import 1", now=NOW)


@pytest.mark.parametrize("status", S)
def test_an_operators_row_walks_to_its_status_in_one_version(status: S) -> None:
    past = {"needed_by": "2026-06-30"} if status is S.EXPIRED else {}
    change = put(None, status=status, **past)
    assert change is not None
    assert change.after.resource.status is status
    assert change.after.resource.version == 1
    assert change.fact == (None if status in (S.DRAFT, S.WITHDRAWN, S.ARCHIVED) else FACTS[status])
    for before, after in zip(change.steps, change.steps[1:], strict=False):
        assert before.target == after.source
    assert {step.reason for step in change.steps} <= {"import 1", None}


def test_a_row_that_says_nothing_new_changes_nothing() -> None:
    for status in (S.PUBLISHED, S.DRAFT, S.ON_HOLD, S.FULFILLED):
        first = put(None, status=status)
        assert first is not None
        assert put(first.after, status=status) is None
        assert put(first.after) is None


def test_a_past_row_expires_and_stays_so_when_it_is_sent_again() -> None:
    first = put(None, status=S.PUBLISHED, needed_by="2026-06-30")
    assert first is not None
    assert first.after.resource.status is S.EXPIRED
    assert first.fact == "expired"
    assert put(first.after, status=S.PUBLISHED, needed_by="2026-06-30") is None
    changed = put(first.after, status=S.PUBLISHED, needed_by="2026-06-30", title="u")
    assert changed is not None
    assert (changed.after.resource.status, changed.fact) == (S.EXPIRED, "updated")
    alive = put(first.after, status=S.PUBLISHED, needed_by="2026-07-01")
    assert alive is not None
    assert (alive.after.resource.status, alive.fact) == (S.PUBLISHED, "published")


def test_guards_hold_for_rows_too() -> None:
    with pytest.raises(InvalidError):
        put(None, status=S.PUBLISHED, description=None)
    with pytest.raises(ConflictError):
        put(None, status=S.EXPIRED, needed_by="2026-07-01")


def test_only_an_operators_row_may_carry_a_status() -> None:
    for caller in (OWNER, DOST):
        with pytest.raises(ForbiddenError) as refusal:
            put(None, caller=caller, status=S.DRAFT)
        assert refusal.value.code == "status_by_operator_only"


@pytest.mark.parametrize("status", [S.REJECTED, S.WITHDRAWN, S.ARCHIVED])
def test_closed_demands_take_no_rows(status: S) -> None:
    with pytest.raises(ConflictError) as refusal:
        put(stored(status))
    assert refusal.value.code == "demand_closed"


def test_there_is_no_way_back() -> None:
    with pytest.raises(ConflictError) as refusal:
        put(stored(S.PUBLISHED), status=S.SUBMITTED)
    assert refusal.value.code == "transition_not_allowed"


def test_a_dost_writes_for_its_own_province_only() -> None:
    for province in ("20", None):
        with pytest.raises(KetnoiError) as refusal:
            put(None, caller=DOST, province=province)
        assert refusal.value.code == "province_foreign"
    assert put(None, caller=DOST, province="06") is not None
