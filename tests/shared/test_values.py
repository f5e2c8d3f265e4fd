import pytest
from pydantic import ValidationError

from shared.contracts.demands import DemandProfile
from shared.contracts.values import Money, Quantity


def _codes(error: pytest.ExceptionInfo[ValidationError]) -> set[str]:
    return {str(found["type"]) for found in error.value.errors()}


@pytest.mark.parametrize(
    ("money", "code"),
    [
        ({"min": 5, "max": 4, "currency": "VND"}, "money_order"),
        ({"currency": "VND"}, "money_empty"),
        ({"max": 1, "currency": "XXX"}, "unknown_currency"),
        ({"max": -1, "currency": "VND"}, "greater_than_equal"),
        ({"max": 10**30, "currency": "VND"}, "less_than_equal"),
        ({"max": 1.5, "currency": "VND"}, "int_from_float"),
    ],
)
def test_contradictory_money_is_refused(money: dict[str, object], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Money.model_validate(money)
    assert code in _codes(refused)


def test_a_quantity_without_figures_or_with_infinite_ones_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        Quantity.model_validate({"name": "công suất"})
    assert _codes(refused) == {"quantity_empty"}
    with pytest.raises(ValidationError) as refused:
        Quantity.model_validate({"name": "công suất", "max": float("inf")})
    assert _codes(refused) == {"finite_number"}


def test_a_province_retired_in_2025_is_kept() -> None:
    assert DemandProfile(title="Dừa", province="83").province == "83"


def test_places_outside_the_lists_are_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        DemandProfile(title="Chè", province="99", preferred_countries=["ZZ"])
    assert _codes(refused) == {"unknown_province", "unknown_country"}


def test_decomposed_text_is_measured_after_composition() -> None:
    title = "e\u0302\u0301" * 256  # ế, decomposed: 768 code points, 256 letters
    assert len(DemandProfile(title=title).title) == 256
