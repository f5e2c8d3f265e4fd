"""The life cycle, against the contract's table written out by hand."""

from datetime import UTC, date, datetime
from itertools import product

import pytest

from shared.contracts.identity import SYSTEM, Caller, Role
from shared.contracts.lifecycles import Change, Stored
from shared.contracts.supplies import Supply, SupplyProfile, SupplyUpsert
from shared.contracts.supplies import SupplyStatus as S
from shared.kernel.errors import ConflictError, ForbiddenError, InvalidError
from shared.kernel.ids import new_id
from svc_supply.domain import supplies as rules
from svc_supply.domain.supply_lifecycle import FACTS, GUARDS, LIFECYCLE

NOW = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)  # already 1 July in Vietnam
OWNER = Caller(client_id="o", role=Role.PROVIDER, tenant="kiln")
OPERATOR = Caller(client_id="m", role=Role.OPERATOR, tenant="most")
CALLERS = {"owner": OWNER, "operator": OPERATOR, "system": SYSTEM}

TABLE = """
DRAFT RETURNED > SUBMITTED : owner operator
SUBMITTED > UNDER_VALIDATION : operator
UNDER_VALIDATION > RETURNED REJECTED PUBLISHED : operator
PUBLISHED > ON_HOLD : owner operator
ON_HOLD > PUBLISHED : owner operator
PUBLISHED > FLAGGED : operator system
FLAGGED > PUBLISHED WITHDRAWN : operator
PUBLISHED ON_HOLD > EXPIRED : system
EXPIRED > PUBLISHED : owner operator
PUBLISHED ON_HOLD > TRANSFERRED_EXCLUSIVELY : owner operator system
DRAFT SUBMITTED UNDER_VALIDATION RETURNED PUBLISHED ON_HOLD > WITHDRAWN : owner operator
REJECTED EXPIRED WITHDRAWN TRANSFERRED_EXCLUSIVELY > ARCHIVED : operator system
"""


def _allowed() -> set[tuple[str, str, str]]:
    found = set()
    for line in TABLE.strip().splitlines():
        sources, rest = line.split(" > ")
        targets, who = rest.split(" : ")
        found |= set(product(sources.split(), targets.split(), who.split()))
    return found


def stored(status: S, *, announced: bool = True, **fields: object) -> Stored[Supply]:
    content = {"title": "t", "description": "d", "language": "vi", "kind": "LINE"}
    supply = Supply.model_validate(
        {
            "id": new_id(),
            "version": 3,
            "status": status,
            "owner": "kiln",
            "created_at": NOW,
            "updated_at": NOW,
            **content,
            **fields,
        }
    )
    return Stored(supply, announced)


def take(start: Stored[Supply], to: str, caller: Caller) -> Change[Supply]:
    return rules.move(start, to, reason="because", caller=caller, now=NOW)


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("source", S)
def test_every_move_is_allowed_exactly_as_the_contract_says(source: S, who: str) -> None:
    for target in S:
        # The date has passed exactly where that is what the move needs.
        until = date(2026, 6, 30) if target is S.EXPIRED else date(2026, 7, 1)
        start = stored(source, available_until=until)
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
    stranger = Caller(client_id="x", role=Role.PROVIDER, tenant="other")
    dost = Caller(client_id="y", role=Role.DOST, tenant="dost-19", province="19")
    for source, target in product(S, S):
        for caller in (stranger, dost, Caller()):
            with pytest.raises(ConflictError):
                take(stored(source), target, caller)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (S.UNDER_VALIDATION, S.RETURNED),
        (S.UNDER_VALIDATION, S.REJECTED),
        (S.PUBLISHED, S.ON_HOLD),
        (S.ON_HOLD, S.PUBLISHED),
        (S.PUBLISHED, S.FLAGGED),
        (S.FLAGGED, S.PUBLISHED),
        (S.FLAGGED, S.WITHDRAWN),
        (S.PUBLISHED, S.WITHDRAWN),
    ],
)
def test_a_move_without_its_reason_is_refused(source: S, target: S) -> None:
    with pytest.raises(InvalidError) as refusal:
        rules.move(stored(source), target, reason=None, caller=OPERATOR, now=NOW)
    assert refusal.value.code == "reason_required"


def test_an_incomplete_supply_names_what_is_missing() -> None:
    for source, target in ((S.DRAFT, S.SUBMITTED), (S.UNDER_VALIDATION, S.PUBLISHED)):
        with pytest.raises(InvalidError) as refusal:
            take(stored(source, description=None, kind=None), target, OPERATOR)
        assert [error.pointer for error in refusal.value.errors] == ["/description", "/kind"]


@pytest.mark.parametrize("source", [S.UNDER_VALIDATION, S.ON_HOLD, S.FLAGGED, S.EXPIRED])
def test_a_prohibited_technology_is_never_published(source: S) -> None:
    with pytest.raises(InvalidError) as refusal:
        take(stored(source, legal_list="PROHIBITED"), S.PUBLISHED, OPERATOR)
    assert refusal.value.code == "supply_prohibited"
    restricted = take(stored(source, legal_list="RESTRICTED"), S.PUBLISHED, OPERATOR)
    assert restricted.after.resource.status is S.PUBLISHED


def test_a_published_supply_cannot_become_prohibited_by_an_edit() -> None:
    start = stored(S.PUBLISHED)
    banned = rules.profile_of(start.resource).model_copy(update={"legal_list": "PROHIBITED"})
    with pytest.raises(InvalidError) as refusal:
        rules.edit(start, SupplyProfile.model_validate(dict(banned)), caller=OWNER, now=NOW)
    assert refusal.value.code == "supply_prohibited"


def test_an_expired_supply_needs_a_new_date() -> None:
    with pytest.raises(ConflictError) as refusal:
        take(stored(S.EXPIRED, available_until=date(2026, 6, 30)), S.PUBLISHED, OWNER)
    assert refusal.value.code == "new_date_required"


def test_a_day_ends_at_midnight_in_vietnam() -> None:
    on_time = stored(S.UNDER_VALIDATION, available_until=date(2026, 7, 1))
    assert take(on_time, S.PUBLISHED, OPERATOR).after.resource.status is S.PUBLISHED
    late = take(
        stored(S.UNDER_VALIDATION, available_until=date(2026, 6, 30)), S.PUBLISHED, OPERATOR
    )
    assert late.after.resource.status is S.EXPIRED
    assert [step.target for step in late.steps] == ["PUBLISHED", "EXPIRED"]
    assert (late.steps[-1].role, late.fact) == ("system", "expired")


def test_drafts_are_silent_even_when_they_are_given_up() -> None:
    draft = stored(S.DRAFT, announced=False)
    edited = rules.edit(draft, SupplyProfile(title="other"), caller=OWNER, now=NOW)
    assert edited is not None
    assert edited.fact is None
    given_up = take(draft, S.WITHDRAWN, OWNER)
    assert given_up.fact is None
    assert take(given_up.after, S.ARCHIVED, OPERATOR).fact is None


def test_every_status_but_draft_has_its_fact_and_every_guard_exists() -> None:
    assert set(FACTS) == set(S) - {S.DRAFT}
    assert {guard for move in LIFECYCLE.moves for guard in move.guards} == set(GUARDS)


ROW: dict[str, object] = {
    "title": "t", "description": "d", "language": "vi", "kind": "LINE",
    "source": {"system": "s", "ref": "1"},
}  # fmt: skip


def put(
    start: Stored[Supply] | None, *, caller: Caller = OPERATOR, **fields: object
) -> Change[Supply] | None:
    row = SupplyUpsert.model_validate(ROW | fields)
    known = rules.standing(start) if start else None
    return rules.upsert(known, row, new_id=new_id(), caller=caller, recorded_as="import 1", now=NOW)


@pytest.mark.parametrize("status", S)
def test_an_operators_row_walks_to_its_status_in_one_version(status: S) -> None:
    past = {"available_until": "2026-06-30"} if status is S.EXPIRED else {}
    change = put(None, status=status, **past)
    assert change is not None
    assert change.after.resource.status is status
    assert change.after.resource.version == 1
    assert change.fact == (None if status in (S.DRAFT, S.WITHDRAWN, S.ARCHIVED) else FACTS[status])
    for before, after in zip(change.steps, change.steps[1:], strict=False):
        assert before.target == after.source
    assert {step.reason for step in change.steps} <= {"import 1", None}


def test_a_row_that_says_nothing_new_changes_nothing() -> None:
    for status in (S.PUBLISHED, S.DRAFT, S.ON_HOLD, S.TRANSFERRED_EXCLUSIVELY, S.FLAGGED):
        first = put(None, status=status)
        assert first is not None
        assert put(first.after, status=status) is None
        assert put(first.after) is None


def test_a_past_row_expires_and_stays_so_when_it_is_sent_again() -> None:
    first = put(None, status=S.PUBLISHED, available_until="2026-06-30")
    assert first is not None
    assert first.after.resource.status is S.EXPIRED
    assert first.fact == "expired"
    assert put(first.after, status=S.PUBLISHED, available_until="2026-06-30") is None
    changed = put(first.after, status=S.PUBLISHED, available_until="2026-06-30", title="u")
    assert changed is not None
    assert (changed.after.resource.status, changed.fact) == (S.EXPIRED, "updated")
    alive = put(first.after, status=S.PUBLISHED, available_until="2026-07-01")
    assert alive is not None
    assert (alive.after.resource.status, alive.fact) == (S.PUBLISHED, "published")


def test_guards_hold_for_rows_too() -> None:
    with pytest.raises(InvalidError):
        put(None, status=S.PUBLISHED, description=None)
    with pytest.raises(InvalidError):
        put(None, status=S.PUBLISHED, legal_list="PROHIBITED")
    with pytest.raises(ConflictError):
        put(None, status=S.EXPIRED, available_until="2026-07-01")
    assert put(None, legal_list="PROHIBITED") is not None


def test_only_an_operators_row_may_carry_a_status() -> None:
    with pytest.raises(ForbiddenError) as refusal:
        put(None, caller=OWNER, status=S.DRAFT)
    assert refusal.value.code == "status_by_operator_only"


@pytest.mark.parametrize("status", [S.REJECTED, S.WITHDRAWN, S.ARCHIVED])
def test_closed_supplies_take_no_rows(status: S) -> None:
    with pytest.raises(ConflictError) as refusal:
        put(stored(status))
    assert refusal.value.code == "supply_closed"


def test_there_is_no_way_back() -> None:
    with pytest.raises(ConflictError) as refusal:
        put(stored(S.PUBLISHED), status=S.SUBMITTED)
    assert refusal.value.code == "transition_not_allowed"
