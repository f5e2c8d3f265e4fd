"""The vocabulary's files: every line is a promise to somebody who searches in another language."""

import gc
import tracemalloc
import unicodedata
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from svc_matching.domain.catalogue import Catalogue
from svc_matching.domain.vocabularies import LANGUAGES, TARGETS
from svc_matching.domain.vocabulary_lint import flaws_of
from svc_matching.engine import in_use, marks, tagging, translations
from svc_matching.engine.analysers import form_of, terms_of, words_of
from svc_matching.engine.vocabulary import (
    HEADER,
    Vocabulary,
    VocabularyError,
    load_vocabulary,
    read_concepts,
    read_lexicon,
)

MOST_BYTES = 64 * 2**20


def whole(vocabulary: Vocabulary) -> Catalogue:
    ids = frozenset(vocabulary.concepts)
    return Catalogue(vocabulary.version, vocabulary.concepts, vocabulary.version, ids, {})


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def test_it_is_as_large_as_it_says(vocabulary: Vocabulary) -> None:
    assert len(vocabulary.concepts) >= 3000
    assert len(vocabulary.lexicons["en"]) >= 6000
    for language in ("ko", "ja", "zh", "de"):
        assert sum(bool(each.labels[language]) for each in vocabulary.concepts.values()) >= 2000


def test_every_id_is_given_once() -> None:
    folder = files("svc_matching.engine").joinpath("vocabulary_data/concepts")
    lines = (line for file in folder.iterdir() for line in file.read_text("utf-8").splitlines()[1:])
    ids = Counter(line.split("\t", 1)[0] for line in lines)
    assert [name for name, count in ids.items() if count > 1] == []


def test_every_sector_is_named_in_every_language(vocabulary: Vocabulary) -> None:
    total = Counter(concept.sector for concept in vocabulary.concepts.values())
    named = Counter(
        (concept.sector, language)
        for concept in vocabulary.concepts.values()
        for language in LANGUAGES
        if concept.labels[language]
    )
    thin = [key for key in named if named[key] < 0.95 * total[key[0]]]
    assert len(named) == len(total) * len(LANGUAGES)
    assert thin == []


def test_it_is_small_in_memory() -> None:
    """What a process holds of it: the concepts, the words, and all that is made of them."""
    gc.collect()
    tracemalloc.start()
    try:
        with in_use.reading_with(load_vocabulary.__wrapped__()):
            for language in LANGUAGES:
                tagging.concepts_in("a", language)
            for language in TARGETS:
                translations.alternatives("%a", language)
            translations.units_in("a")
            marks.restore("a")
            held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        in_use._forget_others()
    assert held <= MOST_BYTES


def test_every_sector_has_its_root_and_enough_beneath_it(vocabulary: Vocabulary) -> None:
    sectors = Counter(concept.sector for concept in vocabulary.concepts.values())
    assert len(sectors) >= 40
    for sector, count in sectors.items():
        assert vocabulary.concepts[sector].broader == (), sector
        assert count >= 40, sector


def test_every_concept_keeps_the_rules_of_proposals(vocabulary: Vocabulary) -> None:
    """Labels, scripts, broader concepts: one lint for what ships and what curators propose."""
    catalogue = whole(vocabulary)
    flaws = {each.id: flaws_of(each, catalogue) for each in vocabulary.concepts.values()}
    assert {concept: found for concept, found in flaws.items() if found} == {}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (
            {"labels": {"vi": ("sa\u0302\u0301y che\u0300",), "en": ("tea drying",)}},
            "label_unclean",
        ),
        ({"labels": {"vi": ("sấy chè ",), "en": ("tea drying",)}}, "label_unclean"),
        ({"labels": {"vi": ("sấy chè",), "en": ()}}, "label_missing"),
        ({"labels": {"vi": ("sấy chè",), "en": ("tea drying",), "fr": ("thé",)}}, "label_count"),
        ({"labels": {"vi": ("sấy chè",), "en": ("heat pump",)}}, "label_taken"),
        ({"labels": {"vi": ("sấy chè",), "en": ("tea", "Tea")}}, "label_twice"),
        ({"labels": {"vi": ("sấy chè",), "en": ("차 건조기",)}}, "label_script"),
        ({"broader": ()}, "broader_missing"),
        ({"broader": ("tea-drying",)}, "broader_cycle"),
        ({"broader": ("tea-levitation",)}, "broader_unknown"),
    ],
)
def test_a_line_that_breaks_a_rule_is_found(
    vocabulary: Vocabulary, changed: dict[str, Any], code: str
) -> None:
    broken = replace(vocabulary.concepts["tea-drying"], **changed)
    concepts = {**vocabulary.concepts, broken.id: broken}
    catalogue = whole(Vocabulary(vocabulary.version, concepts, {}))
    assert code in [flaw.code for flaw in flaws_of(broken, catalogue)]


@pytest.mark.parametrize("language", TARGETS)
def test_a_lexicon_translates_words_into_words(vocabulary: Vocabulary, language: str) -> None:
    lexicon = vocabulary.lexicons[language]
    assert len(lexicon) >= (6000 if language == "en" else 1500)
    for vietnamese, words in lexicon.items():
        assert vietnamese == unicodedata.normalize("NFC", vietnamese).strip()
        assert 1 <= len(words) <= 8, vietnamese
        assert len(set(words)) == len(words), vietnamese
        assert all(word and word == word.strip() for word in words), vietnamese
        assert [form_of(word, "vi") for word in words_of(vietnamese, "vi")], vietnamese
    silent = [v for v, words in lexicon.items() if not any(terms_of(w, language) for w in words)]
    assert len(silent) <= 5, silent  # stop words in the other language


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["id\tvi"], "header"),
        (["\t".join(HEADER), "a\t\tb"], "line 2"),
    ],
)
def test_a_damaged_file_is_named(lines: list[str], said: str) -> None:
    with pytest.raises(VocabularyError, match=said):
        list(read_concepts("tea", lines))


def test_a_lexicon_line_without_a_translation_is_named() -> None:
    with pytest.raises(VocabularyError, match="line 1"):
        read_lexicon(["chè"])
