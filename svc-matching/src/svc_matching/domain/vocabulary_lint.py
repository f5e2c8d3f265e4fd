"""What every concept must be, shipped or curated: each line is a promise to those who search."""

import unicodedata
from collections.abc import Iterator, Mapping

from shared.kernel.errors import FieldError
from svc_matching.domain.catalogue import Catalogue, label_key
from svc_matching.domain.vocabularies import (
    LANGUAGES,
    MAX_BROADER,
    MAX_LABEL,
    MAX_LABELS,
    Concept,
)

MAX_CONCEPTS = 20_000
RESERVED = frozenset({"versions", "proposals", "untagged"})
"""Ids that would stand in the way of an address."""

_LATIN = frozenset({"LATIN", "GREEK", "MICRO"})
_SCRIPTS: Mapping[str, frozenset[str]] = {
    "vi": _LATIN,
    "en": _LATIN,
    "de": _LATIN,
    "ko": _LATIN | {"HANGUL", "CJK"},
    "ja": _LATIN | {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "CJK", "IDEOGRAPHIC"},
    "zh": _LATIN | {"CJK"},
}
_NEEDED = ("vi", "en")


def flaws_of(concept: Concept, catalogue: Catalogue) -> tuple[FieldError, ...]:
    """Return what is wrong with a concept among the others; it may replace one of them."""
    return (
        *_of_id(concept, catalogue),
        *_of_broader(concept, catalogue),
        *_of_labels(concept, catalogue),
    )


def _of_id(concept: Concept, catalogue: Catalogue) -> Iterator[FieldError]:
    if concept.id in RESERVED:
        yield FieldError(
            "/concept_id",
            "reserved",
            f"`{concept.id}` is part of an address; choose another id.",
            f"`{concept.id}` là một phần của địa chỉ API; hãy chọn mã khác.",
        )
    if concept.id not in catalogue.concepts and len(catalogue.concepts) >= MAX_CONCEPTS:
        yield FieldError(
            "/concept_id",
            "too_many_concepts",
            f"The vocabulary has {MAX_CONCEPTS} concepts, which is as many as it takes.",
            f"Bộ từ vựng đã có {MAX_CONCEPTS} khái niệm, tối đa cho phép.",
        )
    used = [
        below
        for below in catalogue.narrower.get(concept.id, ())
        if not catalogue.concepts[below].deprecated
    ]
    if concept.deprecated and used:
        shown = ", ".join(used[:5])
        yield FieldError(
            "/deprecated",
            "has_narrower",
            f"Other concepts stand below it: {shown}. Move or deprecate them first.",
            f"Còn khái niệm hẹp hơn bên dưới: {shown}. Hãy chuyển hoặc ngừng dùng chúng trước.",
        )


def _of_broader(concept: Concept, catalogue: Catalogue) -> Iterator[FieldError]:
    is_root = concept.id == concept.sector
    if is_root and (concept.broader or concept.deprecated):
        yield FieldError(
            "/broader",
            "sector_root",
            "This is a sector's root: it has nothing above it and stays in use.",
            "Đây là gốc của một ngành: không có khái niệm rộng hơn và luôn được dùng.",
        )
    if not is_root and not concept.broader:
        yield FieldError(
            "/broader",
            "broader_missing",
            "Name at least one broader concept, at most the sector's root.",
            "Hãy nêu ít nhất một khái niệm rộng hơn, cao nhất là gốc của ngành.",
        )
    if len(set(concept.broader)) < len(concept.broader) or len(concept.broader) > MAX_BROADER:
        yield FieldError(
            "/broader",
            "broader_count",
            f"Name each broader concept once, at most {MAX_BROADER}.",
            f"Mỗi khái niệm rộng hơn chỉ nêu một lần, tối đa {MAX_BROADER}.",
        )
    for place, above in enumerate(concept.broader):
        known = catalogue.concepts.get(above)
        if known is None or (known.deprecated and not concept.deprecated):
            yield FieldError(
                f"/broader/{place}",
                "broader_unknown",
                f"There is no concept `{above}` in use.",
                f"Không có khái niệm `{above}` đang dùng.",
            )
        elif concept.id in _above(above, catalogue):
            yield FieldError(
                f"/broader/{place}",
                "broader_cycle",
                f"`{above}` lies below `{concept.id}`, or is itself: broader must lead upwards.",
                f"`{above}` nằm dưới `{concept.id}` hoặc chính là nó: phải dẫn lên trên.",
            )


def _above(concept_id: str, catalogue: Catalogue) -> set[str]:
    """Return a concept and all that is broader."""
    seen: set[str] = set()
    waiting = [concept_id]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            known = catalogue.concepts.get(name)
            waiting += known.broader if known else ()
    return seen


def _of_labels(concept: Concept, catalogue: Catalogue) -> Iterator[FieldError]:
    for language in _NEEDED:
        if not concept.labels.get(language):
            yield FieldError(
                f"/labels/{language}",
                "label_missing",
                "Every concept has a Vietnamese and an English label.",
                "Mỗi khái niệm cần nhãn tiếng Việt và tiếng Anh.",
            )
    for language, labels in concept.labels.items():
        if language not in LANGUAGES or len(labels) > MAX_LABELS:
            yield FieldError(
                f"/labels/{language}",
                "label_count",
                f"Languages are {', '.join(LANGUAGES)}, each with at most {MAX_LABELS} labels.",
                f"Các ngôn ngữ là {', '.join(LANGUAGES)}, mỗi ngôn ngữ tối đa {MAX_LABELS} nhãn.",
            )
            continue
        seen: set[str] = set()
        for place, label in enumerate(labels):
            pointer = f"/labels/{language}/{place}"
            yield from _of_label(pointer, language, label)
            yield from _of_owner(pointer, language, label, concept, catalogue, seen)
            seen.add(label_key(label))


def _of_label(pointer: str, language: str, label: str) -> Iterator[FieldError]:
    is_clean = label == unicodedata.normalize("NFC", label).strip() and label.isprintable()
    if not is_clean or not 0 < len(label) <= MAX_LABEL or "|" in label:
        yield FieldError(
            pointer,
            "label_unclean",
            f"A label is NFC text of at most {MAX_LABEL} characters, without `|` or line breaks.",
            f"Nhãn là văn bản NFC tối đa {MAX_LABEL} ký tự, không có `|` hay xuống dòng.",
        )
    letters = [each for each in label if each.isalpha()]
    foreign = [each for each in letters if _script(each) not in _SCRIPTS[language]]
    if foreign:
        yield FieldError(
            pointer,
            "label_script",
            f"«{foreign[0]}» is not written in {language}; is the label in the wrong language?",
            f"«{foreign[0]}» không thuộc chữ viết của {language}; nhãn có nhầm ngôn ngữ không?",
        )
    if not letters or (len(label) < 2 and _script(letters[0]) == "LATIN"):  # noqa: PLR2004
        yield FieldError(
            pointer,
            "label_short",
            "A label is a word: a number or a single letter stands for too much.",
            "Nhãn phải là một từ: một con số hay một chữ cái có quá nhiều nghĩa.",
        )


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0]


def _of_owner(
    pointer: str,
    language: str,
    label: str,
    concept: Concept,
    catalogue: Catalogue,
    seen: set[str],
) -> Iterator[FieldError]:
    key = label_key(label)
    if key in seen:
        yield FieldError(
            pointer,
            "label_twice",
            f"«{label}» is given twice.",
            f"«{label}» được nêu hai lần.",
        )
    others = catalogue.owners.get((language, key), frozenset()) - {concept.id}
    if others and not concept.deprecated:
        owner = min(others)
        yield FieldError(
            pointer,
            "label_taken",
            f"«{label}» already names `{owner}`; a label names one concept. Take it from there"
            " first, or leave it.",
            f"«{label}» đã là nhãn của `{owner}`; mỗi nhãn chỉ thuộc một khái niệm. Hãy bỏ nhãn"
            " ở đó trước, hoặc không dùng nhãn này.",
        )
