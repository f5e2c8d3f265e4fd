import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.text import clean, search_key, strip_marks, unify_tone_placement


@pytest.mark.parametrize(
    ("old", "new"),
    [("hòa", "hoà"), ("khỏe", "khoẻ"), ("thủy", "thuỷ"), ("HÓA", "HOÁ"), ("Hòa", "Hoà")],
)
def test_both_placements_of_a_tone_become_one(old: str, new: str) -> None:
    assert unify_tone_placement(old) == unify_tone_placement(new) == new


@pytest.mark.parametrize("word", ["hoàn", "khoét", "huỳnh", "quý", "của", "mía", "khuya"])
def test_words_without_a_choice_of_placement_stay(word: str) -> None:
    assert unify_tone_placement(word) == word


@pytest.mark.parametrize(
    "form", ["Thuỷ Điện", "Thủy điện", "THỦY  ĐIỆN", "thuy dien", "Thu\u200bỷ điện"]
)
def test_every_spelling_of_a_name_has_one_search_key(form: str) -> None:
    assert search_key(form) == "thuy dien"
    assert search_key(unicodedata.normalize("NFD", form)) == "thuy dien"


def test_nfd_becomes_nfc() -> None:
    assert clean(unicodedata.normalize("NFD", "Sấy chè")) == "Sấy chè"


@pytest.mark.parametrize("bad", ["a\x00b", "a\ud800b"])
def test_what_postgres_cannot_hold_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogate"):
        clean(bad)


def test_line_breaks_stay_and_other_control_characters_go() -> None:
    assert clean("a\tb\nc\x07d\x1be") == "a\tb\ncde"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_cleaning_and_keys_are_idempotent(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert strip_marks(strip_marks(text)) == strip_marks(text)
