"""Texts become terms: what must meet does meet, and what is exact counts more."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile
from shared.contracts.values import Translation
from svc_matching.engine.abbreviations import spell_out
from svc_matching.engine.analysers import analyse, surfaces
from svc_matching.engine.languages import choose_language
from svc_matching.engine.surfaces import Surfaces
from svc_matching.engine.views import pack, unpack, views_of


def test_text_without_marks_shares_the_shadows_of_text_with_marks() -> None:
    marked, bare = analyse("sấy chè xanh", "vi"), analyse("say che xanh", "vi")
    shared = marked.counts.keys() & bare.counts.keys()
    assert {"~say", "~che", "~say_che", "~che_xanh"} <= shared
    assert "=sấy" in marked.counts
    assert "=sấy" not in bare.counts


def test_decomposed_text_gives_the_same_terms() -> None:
    text = "Thiết bị xử lý nước thải"
    assert analyse(unicodedata.normalize("NFD", text), "vi") == analyse(text, "vi")


@pytest.mark.parametrize(("old", "new"), [("thủy sản", "thuỷ sản"), ("hòa tan", "hoà tan")])
def test_both_tone_placements_give_the_same_terms(old: str, new: str) -> None:
    assert analyse(old, "vi") == analyse(new, "vi")


def test_pairs_do_not_cross_punctuation() -> None:
    counts = analyse("sấy, chè cà phê", "vi").counts
    assert "~say_che" not in counts
    assert "~ca_phe" in counts


def test_a_stop_word_counts_only_beside_a_word() -> None:
    counts = analyse("bộ cân bằng của các", "vi").counts
    assert "~can_bang" in counts
    assert {"=bằng", "~cua_cac", "=của"}.isdisjoint(counts)


def test_foreign_words_in_vietnamese_meet_the_english_stem() -> None:
    shared = analyse("hệ thống sensors biogas", "vi").counts.keys()
    assert analyse("biogas sensor", "en").counts.keys() <= shared


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [("en", "drying of dried teas", "dry tea"), ("de", "Trocknungen", "Trocknung")],
)
def test_inflected_words_share_a_stem(language: str, one: str, other: str) -> None:
    assert set(analyse(one, language).counts) == set(analyse(other, language).counts)


@pytest.mark.parametrize(
    ("language", "text", "term"),
    [("ko", "녹차 건조기", "건조"), ("ja", "製茶機械", "製茶"), ("zh", "茶叶烘干机", "烘干")],
)
def test_scripts_without_spaces_become_character_bigrams(
    language: str, text: str, term: str
) -> None:
    assert term in analyse(text, language).counts


def test_stop_words_and_bare_numbers_are_left_out() -> None:
    assert not analyse("the and of 2026 1500", "en").counts
    assert not analyse("và của các những 500", "vi").counts


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        ("Cần máy sấy chè tiết kiệm năng lượng", None, "vi"),
        ("can may say che tiet kiem nang luong cho hop tac xa", None, "vi"),
        ("A heat pump dryer for green tea with low energy use and a small footprint", None, "en"),
        ("Trockner für grünen Tee mit Wärmepumpe und geringem Verbrauch", None, "de"),
        ("히트펌프식 녹차 건조 시스템", "vi", "ko"),
        ("ヒートポンプ式の製茶乾燥機", None, "ja"),
        ("茶叶烘干机", "ja", "ja"),
        ("茶叶烘干机", None, "zh"),
        ("This is an English text that was labelled with the wrong language", "vi", "en"),
        ("Dây chuyền đóng gói", "en", "vi"),
        ("say che", "vi", "vi"),
    ],
)
def test_the_language_is_guessed_when_missing_or_plainly_wrong(
    text: str, declared: str | None, expected: str
) -> None:
    assert choose_language(text, declared) == expected


def test_surfaces_show_the_words_as_they_were_written() -> None:
    found = surfaces("Lò Sấy chè xanh chè", "vi")
    assert [found[term] for term in ("~say_che", "=xanh", "=chè")] == ["Sấy chè", "xanh", "chè"]
    assert surfaces("Dried teas, tea", "en") == {"dri": "Dried", "tea": "teas"}


def test_a_translation_is_a_view_of_its_own() -> None:
    profile = SupplyProfile(
        title="Lò sấy chè",
        language="vi",
        translations={"en": Translation(title="Tea dryer"), "vi": Translation(title="Khác")},
    )
    assert [view.language for view in views_of(profile)] == ["vi", "en"]


def test_the_title_counts_more_than_the_description() -> None:
    profile = SupplyProfile(title="Tea", description="Coffee", language="en")
    (view,) = views_of(profile)
    weights = dict(zip(view.terms, view.frequencies.tolist(), strict=True))
    assert weights["tea"] > weights["coffe"]


@given(st.text(max_size=300), st.sampled_from(["vi", "en", "de", "ko", "ja", "zh", None]))
def test_any_text_is_read_and_packs_without_loss(text: str, language: str | None) -> None:
    title = "".join(ch for ch in text if ch.isprintable() and ch != "\x1e")[:200].strip()
    profile = DemandProfile(title=title or "x", language=language)
    views = views_of(profile)
    again = unpack(pack(views))
    assert [(v.language, v.marked, v.length, v.terms) for v in again] == [
        (v.language, v.marked, v.length, v.terms) for v in views
    ]
    assert [v.frequencies.tolist() for v in again] == [v.frequencies.tolist() for v in views]


@pytest.mark.parametrize(
    ("language", "text", "full"),
    [
        ("vi", "Máy sấy cho HTX", "hợp tác xã"),
        ("vi", "Dau tu NLMT", "năng lượng mặt trời"),
        ("vi", "hỗ trợ đmst", "đổi mới sáng tạo"),
        ("vi", "Chương trình KH&CN", "khoa học và công nghệ"),
        ("de", "Kamera mit KI", "künstlicher Intelligenz"),
        ("zh", "AI相机", "人工智能"),
    ],
)
@pytest.mark.parametrize("kind", [SupplyProfile, DemandProfile])
def test_a_short_form_meets_what_it_stands_for(
    kind: type[Any], language: str, text: str, full: str
) -> None:
    (one,) = views_of(kind(title=text, language=language))
    (other,) = views_of(SupplyProfile(title=full, language=language))
    assert set(other.terms) <= set(one.terms)


def test_a_word_that_looks_like_a_short_form_stays_a_word() -> None:
    assert spell_out("Ai dùng máy in này?", "vi") == "Ai dùng máy in này?"
    assert spell_out("AI", "vi") == "AI (trí tuệ nhân tạo)"
    assert spell_out("AI", "fr") == "AI"


def test_what_a_text_spells_out_itself_counts_once() -> None:
    assert spell_out("UAV và UAV", "vi") == "UAV (máy bay không người lái) và UAV"
    text = "Máy bay không người lái (UAV)"
    assert spell_out(text, "vi") == text


def test_a_label_of_a_concept_is_left_to_the_vocabulary() -> None:
    assert spell_out("UAV", "en") == "UAV"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Lò Sấy chè, sấy CHÈ xanh; máy sấy-chè ĐAK Lắk công suất 500 kg/h. chế, chẻ che", "vi"),
        ("Hoá học và hóa chất, công ty TNHH ABC; İzmir hóa", "vi"),
        ("Lo say che xanh khong dau", "vi"),
        ("Dried teas, tea dryers of the Dryer company", "en"),
        ("차 건조기와 열펌프 HACCP", "ko"),
    ],
)
def test_a_search_finds_what_reading_finds(text: str, language: str) -> None:
    read = surfaces(text, language)
    looked_up = Surfaces(text, language)
    assert {term: looked_up.behind(term) for term in read} == read
    assert looked_up.behind("~khong_co") is None
