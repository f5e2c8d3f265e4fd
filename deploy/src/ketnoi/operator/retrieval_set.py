"""Reads a retrieval set (queries, documents, judgements) as demands and supplies to import.

Layout: `META.json`, whose `corpus` names a JSONL file (gzipped or not) relative to the folder, and
`<split>/queries.jsonl`, `<split>/qrels.tsv`.
"""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ketnoi.errors import UsageError

MAX_TITLE = 256
MAX_TEXT = 8000
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s|[\n。！？]")


@dataclass
class RetrievalSet:
    """A set and how it was bent to fit the contract (`cut`: texts longer than 8,000 characters)."""

    name: str
    corpus: Path
    queries: list[dict[str, Any]]
    relevant: dict[str, dict[str, int]]
    cut: int = field(default=0)

    @property
    def supply_system(self) -> str:
        """Sets that share a corpus share its supplies."""
        return f"set-{self.corpus.parent.name}"[:64]

    @property
    def demand_system(self) -> str:
        return f"set-{self.name}"[:64]

    @classmethod
    def read(cls, folder: Path, split: str) -> "RetrievalSet":
        """Read all but the documents; UsageError says what is missing."""
        try:
            meta = json.loads((folder / "META.json").read_text(encoding="utf-8"))
            queries = [
                json.loads(line)
                for line in (folder / split / "queries.jsonl").read_text("utf-8").splitlines()
            ]
            judged = (folder / split / "qrels.tsv").read_text("utf-8").splitlines()
        except FileNotFoundError as error:
            raise UsageError(
                f"{folder} is not a retrieval set: {error.filename} is missing."
                " Give the folder that holds META.json."
            ) from error
        except ValueError as error:
            raise UsageError(f"{folder} is damaged: {error}") from error
        corpus = (folder / str(meta.get("corpus", "corpus.jsonl.gz"))).resolve()
        if not corpus.is_file():
            raise UsageError(f"{folder}: the documents are missing ({corpus.name}).")
        return cls(folder.resolve().name, corpus, queries, _judgements(judged))

    def supplies(self) -> Iterator[dict[str, Any]]:
        """Yield each document as a published supply."""
        opened = gzip.open if self.corpus.suffix == ".gz" else open
        with opened(self.corpus, "rt", encoding="utf-8") as file:
            for line in file:
                document = json.loads(line)
                yield self._profile(document) | {
                    "kind": "TECHNOLOGY",
                    "source": {
                        "kind": "FEED",
                        "system": self.supply_system,
                        "ref": str(document["id"]),
                    },
                }

    def demands(self) -> Iterator[dict[str, Any]]:
        """Yield each query as a published demand."""
        for query in self.queries:
            yield self._profile(query) | {
                "kind": "APPLICATION",
                "source_ref": {"system": self.demand_system, "ref": str(query["id"])},
            }

    def _profile(self, item: dict[str, Any]) -> dict[str, Any]:
        text = str(item.get("text") or item.get("title") or "-").strip() or "-"
        if len(text) > MAX_TEXT:
            self.cut += 1
        title = str(item.get("title") or "").strip() or first_sentence(text)
        return {
            "title": title[:MAX_TITLE],
            "description": text[:MAX_TEXT],
            "language": str(item.get("lang") or "en")[:2],
            "status": "PUBLISHED",
        }


def first_sentence(text: str) -> str:
    """Return the first sentence, for documents without a title."""
    return _SENTENCE_END.split(text, maxsplit=1)[0].strip()[:MAX_TITLE] or text[:MAX_TITLE]


def _judgements(lines: list[str]) -> dict[str, dict[str, int]]:
    relevant: dict[str, dict[str, int]] = {}
    for line in lines[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query, {})[document] = int(grade)
    return relevant
