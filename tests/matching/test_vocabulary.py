"""The vocabulary's files: every line is a promise to somebody who searches in another language."""

import gc
import tracemalloc
import unicodedata
from collections import Counter, defaultdict
from importlib.resources import files

import pytest

from svc_matching.engine import marks, tagging, translations
from svc_matching.engine.analysers import form_of, words_of
from svc_matching.engine.vocabulary import (
    HEADER,
    LANGUAGES,
    TARGETS,
    Vocabulary,
    VocabularyError,
    load_vocabulary,
    read_concepts,
    read_lexicon,
)

LONGEST_LABEL = 80
MOST_BYTES = 60 * 2**20


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
    total: Counter[str] = Counter(concept.sector for concept in vocabulary.concepts.values())
    named: Counter[tuple[str, str]] = Counter(
        (concept.sector, language)
        for concept in vocabulary.concepts.values()
        for language in LANGUAGES
        if concept.labels[language]
    )
    thin = {
        (sector, language): named[sector, language]
        for sector in total
        for language in LANGUAGES
        if named[sector, language] < 0.95 * total[sector]
    }
    assert thin == {}


def test_it_is_small_in_memory() -> None:
    """What every process holds of it: the concepts, the words, and all that is made of them."""
    cached = (
        load_vocabulary,
        tagging._tagger,
        tagging._german_words,
        translations._labels,
        translations._lexicon,
        translations._known,
        translations._words,
        marks._model,
    )
    for each in cached:
        each.cache_clear()
    gc.collect()
    tracemalloc.start()
    try:
        for language in LANGUAGES:
            tagging.concepts_in("a", language)
        for language in TARGETS:
            translations.alternatives("%a", language)
        translations.units_in("a")
        marks.restore("a")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held <= MOST_BYTES


def test_every_sector_has_its_root_and_enough_beneath_it(vocabulary: Vocabulary) -> None:
    sectors = Counter(concept.sector for concept in vocabulary.concepts.values())
    assert len(sectors) >= 40
    for sector, count in sectors.items():
        assert vocabulary.concepts[sector].broader == (), sector
        assert count >= 40, sector


def test_every_concept_has_a_vietnamese_and_an_english_name(vocabulary: Vocabulary) -> None:
    for concept in vocabulary.concepts.values():
        assert concept.labels["vi"], concept.id
        assert concept.labels["en"], concept.id


def test_labels_are_clean(vocabulary: Vocabulary) -> None:
    for concept in vocabulary.concepts.values():
        for language in LANGUAGES:
            labels = concept.labels[language]
            assert len(set(labels)) == len(labels), (concept.id, language)
            for label in labels:
                assert label == unicodedata.normalize("NFC", label).strip(), (concept.id, label)
                assert 0 < len(label) <= LONGEST_LABEL, (concept.id, label)


def test_a_label_names_one_concept(vocabulary: Vocabulary) -> None:
    for language in LANGUAGES:
        named = defaultdict(set)
        for label, concept in vocabulary.labels(language):
            named[" ".join(label.lower().replace("-", " ").split())].add(concept)
        assert {label: ids for label, ids in named.items() if len(ids) > 1} == {}, language


def test_scripts_are_where_they_belong(vocabulary: Vocabulary) -> None:
    """A column that slipped shows at once: Hangul in `ja`, Vietnamese marks in `en`."""
    for concept in vocabulary.concepts.values():
        for language in LANGUAGES:
            for label in concept.labels[language]:
                names = {unicodedata.name(each, "").split(" ")[0] for each in label}
                if language != "ko":
                    assert "HANGUL" not in names, (concept.id, label)
                if language != "ja":
                    assert not names & {"HIRAGANA", "KATAKANA"}, (concept.id, label)
                if language not in ("ja", "zh", "ko"):
                    assert "CJK" not in names, (concept.id, label)


def test_broader_leads_upwards_and_ends(vocabulary: Vocabulary) -> None:
    for concept in vocabulary.concepts.values():
        seen, above = set(), set(concept.broader)
        assert above <= vocabulary.concepts.keys(), concept.id
        while above:
            assert concept.id not in above, concept.id
            seen |= above
            above = {up for name in above for up in vocabulary.concepts[name].broader} - seen


def test_the_lexicon_translates_words_into_words(vocabulary: Vocabulary) -> None:
    for vietnamese, english in vocabulary.lexicons["en"].items():
        assert vietnamese == unicodedata.normalize("NFC", vietnamese).strip()
        assert 1 <= len(english) <= 8, vietnamese
        assert all(word and word == word.strip() for word in english), vietnamese
        assert [form_of(word, "vi") for word in words_of(vietnamese, "vi")], vietnamese


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
