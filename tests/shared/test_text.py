import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.text import _ZERO_WIDTH, clean, search_key, strip_marks, unify_tone_placement


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


_ODD = " \u00a0\u3000\u200b\u0301\u00a8\u1e9eßủyoàĐΣ\x85"
"""Spaces, marks that stand alone, signs that become several: where words could grow together."""


@given(st.text(alphabet=st.sampled_from(_ODD) | st.characters(exclude_categories=["Cs"])))
def test_a_key_made_word_by_word_is_that_of_the_whole(text: str) -> None:
    whole = unicodedata.normalize("NFKC", _ZERO_WIDTH.sub("", text)).casefold()
    assert search_key(text) == " ".join(strip_marks(whole).split())


@given(st.text())
def test_printable_text_is_cleaned_like_any_other(text: str) -> None:
    odd = text + "\x07"  # takes the long way
    try:
        assert clean(text) == clean(odd)
    except ValueError:
        with pytest.raises(ValueError, match=r"NUL|surrogate"):
            clean(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_cleaning_and_keys_are_idempotent(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert strip_marks(strip_marks(text)) == strip_marks(text)
