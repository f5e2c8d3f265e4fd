"""Who may read, what a diagnosis means, when an epoch ends: rules without any I/O."""

from uuid import UUID, uuid4

import pytest

from shared.contracts.base import Visibility
from shared.contracts.identity import Caller, Role
from shared.contracts.matches import (
    Component,
    DiagnosisCode,
    Family,
    MatchedConcept,
    NearMiss,
    Reason,
    ReasonCode,
)
from shared.contracts.messaging import consumers_of
from shared.kernel.errors import NotFoundError
from svc_matching.domain.diagnoses import (
    Missed,
    decide,
    diagnosis_text,
    in_order,
    leading_reasons,
    remedies,
)
from svc_matching.domain.epochs import is_time_to_freeze
from svc_matching.domain.explanations import explain
from svc_matching.domain.floods import FULL, LONGEST_SECONDS, Flood
from svc_matching.domain.items import Age, Item, ItemKind
from svc_matching.domain.matches import (
    may_read_as_demand_side,
    may_read_as_supply_side,
    may_read_match,
    require_demand_side,
)

R = ReasonCode


def a_demand(
    visibility: Visibility = Visibility.PUBLIC, status: str = "PUBLISHED", province: str = "19"
) -> Item:
    return Item(uuid4(), ItemKind.DEMAND, 1, status, "enterprise-1", visibility, province)


def a_supply() -> Item:
    return Item(uuid4(), ItemKind.SUPPLY, 1, "PUBLISHED", "office-kr", Visibility.PUBLIC, None)


def caller(role: Role, tenant: str = "somebody", province: str | None = None) -> Caller:
    return Caller(client_id="c", role=role, tenant=tenant, province=province)


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (caller(Role.OPERATOR), True),
        (caller(Role.ENTERPRISE, "enterprise-1"), True),
        (caller(Role.DOST, "dost-19", "19"), True),
        (caller(Role.DOST, "dost-19", "06"), True),
        (caller(Role.DOST, "dost-01", "01"), False),
        (caller(Role.ENTERPRISE, "enterprise-2"), False),
        (caller(Role.OFFICE, "office-kr"), False),
        (caller(Role.OPS), False),
        (Caller(), False),
    ],
)
def test_a_demands_matches_belong_to_its_side(who: Caller, *, may: bool) -> None:
    assert may_read_as_demand_side(who, a_demand()) is may


def test_nobody_owns_by_having_no_tenant() -> None:
    orphan = Item(uuid4(), ItemKind.DEMAND, 1, "PUBLISHED", "", Visibility.PUBLIC, None)
    assert not may_read_as_demand_side(Caller(), orphan)


@pytest.mark.parametrize(
    ("visibility", "status", "may"),
    [
        (Visibility.PUBLIC, "PUBLISHED", True),
        (Visibility.PARTNERS, "PUBLISHED", True),
        (Visibility.PRIVATE, "PUBLISHED", False),
        (Visibility.PUBLIC, "ON_HOLD", False),
    ],
)
def test_a_supplys_owner_reads_matches_of_demands_it_may_see(
    visibility: Visibility, status: str, *, may: bool
) -> None:
    office = caller(Role.OFFICE, "office-kr")
    assert may_read_match(office, a_demand(visibility, status), a_supply()) is may
    assert may_read_as_supply_side(office, a_supply())


def test_an_outsider_reads_no_match() -> None:
    assert not may_read_match(caller(Role.PROVIDER, "other"), a_demand(), a_supply())


def test_unknown_and_forbidden_differ_only_in_the_code() -> None:
    outsider = caller(Role.ENTERPRISE, "enterprise-2")
    with pytest.raises(NotFoundError) as forbidden:
        require_demand_side(outsider, a_demand())
    with pytest.raises(NotFoundError) as absent:
        require_demand_side(outsider, None)
    assert (absent.value.code, forbidden.value.code) == ("demand_unknown", "not_found")
    assert (absent.value.en, absent.value.vi) == (forbidden.value.en, forbidden.value.vi)


def missed(*reasons: ReasonCode, relevance: float = 0.5) -> Missed:
    return Missed(relevance, reasons)


@pytest.mark.parametrize(
    ("served", "misses", "expected"),
    [
        (0.5, [missed(R.TRL_LOW)], DiagnosisCode.MATCHED),
        (0.3, [], DiagnosisCode.MATCHED),
        (None, [], DiagnosisCode.NO_SUPPLY),
        (None, [missed(R.TRL_LOW), missed(R.SPEC_FAILS, R.BUDGET_SHORT)], DiagnosisCode.MISMATCH),
        (None, [missed(R.TRL_LOW), missed(R.BUDGET_SHORT)], DiagnosisCode.NO_RESOURCES),
        (None, [missed(R.ABSORPTION_SHORT, R.BUDGET_SHORT)], DiagnosisCode.NO_RESOURCES),
    ],
)
def test_the_triad(served: float | None, misses: list[Missed], expected: DiagnosisCode) -> None:
    assert decide(served=served, misses=misses) is expected


def test_beside_a_copy_of_the_demand_a_relevant_supply_still_has_a_say() -> None:
    copy, costly = missed(R.TRL_LOW, relevance=1.0), missed(R.BUDGET_SHORT, relevance=0.4)
    assert decide(served=None, misses=[copy, costly]) is DiagnosisCode.NO_RESOURCES
    assert decide(served=0.4, misses=[copy]) is DiagnosisCode.MATCHED
    assert decide(served=0.3, misses=[copy]) is DiagnosisCode.MISMATCH


@pytest.mark.parametrize(
    ("served", "other", "expected"),
    [
        (0.33, 0.33, DiagnosisCode.MATCHED),
        (0.29, 0.33, DiagnosisCode.NO_RESOURCES),
        (0.29, 0.29, DiagnosisCode.MISMATCH),
    ],
)
def test_what_is_far_less_relevant_than_the_best_has_no_say(
    served: float, other: float, expected: DiagnosisCode
) -> None:
    best = missed(R.TRL_LOW, relevance=0.5)
    assert decide(served=served, misses=[best, missed(R.BUDGET_SHORT, relevance=other)]) is expected


def test_under_no_resources_only_the_right_supplies_give_reasons() -> None:
    misses = [missed(R.TRL_LOW), missed(R.TRL_LOW), missed(R.BUDGET_SHORT)]
    assert leading_reasons(DiagnosisCode.NO_RESOURCES, misses) == [R.BUDGET_SHORT]
    assert leading_reasons(DiagnosisCode.MISMATCH, misses)[0] is R.TRL_LOW
    assert leading_reasons(DiagnosisCode.MATCHED, misses) == []


def test_the_reason_of_what_is_more_relevant_leads() -> None:
    misses = [missed(R.SPEC_FAILS, relevance=0.5), missed(R.EXPIRED, relevance=0.4)]
    assert leading_reasons(DiagnosisCode.MISMATCH, misses) == [R.SPEC_FAILS, R.EXPIRED]
    misses.append(missed(R.EXPIRED, relevance=0.35))
    assert leading_reasons(DiagnosisCode.MISMATCH, misses) == [R.EXPIRED, R.SPEC_FAILS]
    misses += [missed(R.SPEC_FAILS, relevance=0.29)] * 3
    assert leading_reasons(DiagnosisCode.MISMATCH, misses) == [R.EXPIRED, R.SPEC_FAILS]


def test_near_misses_are_told_in_the_order_of_the_reasons() -> None:
    def near(relevance: float, *codes: ReasonCode) -> NearMiss:
        reasons = [Reason(code=code) for code in codes]
        return NearMiss(supply_id=UUID(int=1), relevance=relevance, reasons=reasons)

    wrong, costly = near(0.6, R.TRL_LOW), near(0.5, R.BUDGET_SHORT)
    assert in_order(DiagnosisCode.NO_RESOURCES, [wrong, costly]) == [costly, wrong]
    old, weak, both = near(0.6, R.EXPIRED), near(0.5, R.SPEC_FAILS), near(0.4, R.EXPIRED, R.TRL_LOW)
    far = near(0.3, R.EXPIRED)
    assert in_order(DiagnosisCode.MISMATCH, [old, weak, both, far]) == [old, both, weak, far]
    many = [near(0.5, R.TRL_LOW, R.SPEC_FAILS), near(0.45, R.SPEC_FAILS)]
    first = in_order(DiagnosisCode.MISMATCH, many)[0]
    assert [reason.code for reason in first.reasons] == [R.SPEC_FAILS, R.TRL_LOW]


def a_miss(*reasons: Reason) -> NearMiss:
    return NearMiss(supply_id=UUID(int=1), relevance=0.5, reasons=list(reasons))


def test_no_supply_is_answered_by_a_search_order() -> None:
    (remedy,) = remedies(DiagnosisCode.NO_SUPPLY, [])
    assert (remedy.kind, remedy.for_) == ("SEARCH_ORDER", "NO_SUPPLY")


def test_a_short_budget_names_the_smallest_sum_that_helps() -> None:
    misses = [
        a_miss(
            Reason(code=R.BUDGET_SHORT, have="10 VND", need="20 VND", by=10),
            Reason(code=R.TRL_LOW),
        ),
        a_miss(Reason(code=R.BUDGET_SHORT, have="10 VND", need="90 VND", by=80)),
        a_miss(Reason(code=R.BUDGET_SHORT, have="10 VND", need="5,010 VND", by=5000)),
    ]
    found = {r.kind: r.detail for r in remedies(DiagnosisCode.NO_RESOURCES, misses)}
    assert found == {"PARTIAL_TRANSFER": None, "HIGHER_BUDGET": "+80 VND"}


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_has_a_way_out_and_words(code: ReasonCode) -> None:
    misses = [a_miss(Reason(code=code))]
    assert remedies(DiagnosisCode.MISMATCH, misses)
    text = diagnosis_text(DiagnosisCode.MISMATCH, misses)
    assert text.vi != text.en


def a_component(name: str, family: Family, value: float, *, known: bool = True) -> Component:
    return Component(
        name=name, family=family, value=value, weight=0.1, contribution=0.05, known=known
    )


def test_an_explanation_says_what_meets_what_fits_what_is_short_and_what_is_unknown() -> None:
    said = explain(
        [
            a_component("terms", Family.RELEVANCE, 0.5),
            a_component("ipc", Family.RELEVANCE, 1.0),
            a_component("trl", Family.SUITABILITY, 1.0),
            a_component("country", Family.SUITABILITY, 0.3),
            a_component("skills", Family.FEASIBILITY, 0.5, known=False),
        ],
        [MatchedConcept(concept="sấy chè", demand_text="sấy chè", supply_text="Sấy chè", share=1)],
        [Reason(code=R.BUDGET_SHORT, have="10 VND", need="90 VND", by=80)],
        same_language=True,
    )
    assert said.text.vi == (
        "Trùng nội dung: «sấy chè»; cùng phân loại sáng chế IPC. "
        "Phù hợp về mức sẵn sàng công nghệ (TRL). "
        "Giá vượt ngân sách (có 10 VND, cần 90 VND). "
        "Chưa có dữ liệu về kỹ năng."
    )
    assert said.text.en.startswith("Shared content: «sấy chè»; same IPC class.")
    assert [strength.en for strength in said.strengths] == [
        "IPC class",
        "technology readiness (TRL)",
    ]
    (gap,) = said.gaps
    assert (gap.code, gap.by, gap.unit) == ("BUDGET_SHORT", 80, "VND")


def test_pairs_of_two_languages_say_that_only_the_codes_speak() -> None:
    said = explain([a_component("ipc", Family.RELEVANCE, 1.0)], [], [], same_language=False)
    assert said.text.en.startswith("Another language, so hardly a word in common")


@pytest.mark.parametrize(
    ("value", "known", "told"),
    [
        (0.9, True, "based on the meaning of the text; near in meaning."),
        (0.4, True, "based on the meaning of the text."),
        (0.0, True, "based on the classification codes."),
        (0.9, False, "based on the classification codes."),
    ],
)
def test_the_meaning_is_named_only_when_it_is_known(value: float, known: bool, told: str) -> None:
    components = [a_component("dense", Family.RELEVANCE, value, known=known)]
    said = explain(components, [], [], same_language=False)
    assert said.text.en == f"Another language, so hardly a word in common; {told}"
    strong = known and value > 0.8
    assert [each.vi for each in said.strengths] == ["ý nghĩa của văn bản"] * strong


def test_a_later_database_epoch_is_newer_than_any_version() -> None:
    assert Age(2, 1) > Age(1, 99) > Age(1, 98)


@pytest.mark.parametrize(
    ("live", "frozen", "is_quiet", "due"),
    [
        (100, 100, True, False),
        (120, 100, True, False),
        (121, 100, True, True),
        (121, 100, False, False),
        (79, 100, True, True),
        (200, 100, False, True),
        (10, 5, False, False),
        (64, 0, False, True),
        (1, 0, True, True),
        (0, 0, True, False),
    ],
)
def test_an_epoch_ends_after_a_drift_and_a_pause_or_a_doubling(
    live: int, frozen: int, *, is_quiet: bool, due: bool
) -> None:
    assert is_time_to_freeze(live, frozen, is_quiet=is_quiet) is due


def test_the_batches_of_our_consumer_make_a_flood() -> None:
    assert {spec.batch for spec in consumers_of("svc_matching")} == {FULL}


def test_a_flood_lasts_from_a_full_batch_until_a_pause() -> None:
    flood = Flood()
    assert not flood.is_on(0)
    flood.note(FULL - 1, 100)
    assert not flood.is_on(100)
    for moment in (101.0, 101.9, 102.8):
        flood.note(FULL, moment)
    assert flood.is_on(103.8)
    assert not flood.is_on(103.9)


def test_a_flood_without_end_counts_as_over_until_it_has_paused() -> None:
    flood = Flood()
    for moment in range(1000, 1000 + LONGEST_SECONDS + 10):
        flood.note(FULL, moment)
        assert flood.is_on(moment) == (moment <= 1000 + LONGEST_SECONDS)
    flood.note(FULL, 2000)
    assert flood.is_on(2000)
