"""The weighed supplies of an epoch in a folder, so that a start needs no row that has not changed.

The tables stay the truth: a snapshot that is torn, damaged or of another analyser, vocabulary or
epoch is refused. A manifest names the checksum of every file and is the last of them; the folder
gets its name when all is on disk, and the one before is kept.
"""

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from pydantic import TypeAdapter

from shared.kernel.faults import crash_point
from svc_matching.engine.facts import SupplyFacts
from svc_matching.engine.sparse_rows import Base
from svc_matching.engine.vectors import IntArray, TextVector

FORMAT = 1
KEPT = 2
_MANIFEST, _TERMS, _SUPPLIES = "manifest.json", "terms.txt", "supplies.json"
_SEPARATOR = "\x1e"
_BASE = tuple(field.name for field in fields(Base))


@dataclass(frozen=True, slots=True)
class Origin:
    """What a snapshot must have been made of to be of use; `statistics` is a checksum."""

    format: int
    analyser: str
    vocabulary: str
    epoch: int
    statistics: int

    @classmethod
    def of(cls, analyser: str, vocabulary: str, epoch: int, statistics: bytes) -> "Origin":
        return cls(FORMAT, analyser, vocabulary, epoch, zlib.crc32(statistics))


@dataclass(frozen=True, slots=True)
class Text:
    """A text without its terms, and how many those are."""

    language: str
    marked: bool
    length: int
    count: int


@dataclass(frozen=True, slots=True)
class HeldSupply:
    """A supply as of one version of its row."""

    id: UUID
    db_epoch: int
    version: int
    facts: SupplyFacts
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """All that is in a snapshot: row `n` of the base is the n-th supply's."""

    terms: list[str]
    supplies: list[HeldSupply]
    text_terms: IntArray
    text_frequencies: np.ndarray[Any, np.dtype[np.uint16]]
    base: Base

    def vectors(self) -> Iterator[tuple[TextVector, ...]]:
        """Yield the texts of each supply."""
        at = 0
        for supply in self.supplies:
            found = []
            for text in supply.texts:
                span = slice(at, at := at + text.count)
                ids, often = self.text_terms[span], self.text_frequencies[span]
                found.append(TextVector(text.language, text.marked, text.length, ids, often))
            yield tuple(found)


@dataclass(frozen=True, slots=True)
class Holding:
    """What an index holds at one moment; a thread of its own may make a snapshot of it."""

    terms: list[str]
    supplies: list[tuple[UUID, SupplyFacts, tuple[TextVector, ...]]]
    base: Base

    def held(self, ages: Mapping[UUID, tuple[int, int]]) -> Held:
        """Return it as it is stored; `ages` are database epoch and version by supply."""
        supplies = [
            HeldSupply(supply_id, *ages[supply_id], facts, tuple(map(_text, vectors)))
            for supply_id, facts, vectors in self.supplies
        ]
        vectors = [each for _, _, given in self.supplies for each in given]
        terms = np.concatenate([np.empty(0, np.int32), *(each.ids for each in vectors)])
        often = np.concatenate([np.empty(0, np.uint16), *(each.frequencies for each in vectors)])
        return Held(self.terms, supplies, terms, often, self.base)


def _text(vector: TextVector) -> Text:
    return Text(vector.language, vector.marked, vector.length, len(vector.ids))


_HELD = TypeAdapter(list[HeldSupply])


def write(folder: Path, origin: Origin, held: Held) -> Path:
    """Write a snapshot beside the others and remove all but the newest; OSError when it cannot."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(".*"):
        shutil.rmtree(left)
    part = folder / f".{os.getpid()}"
    part.mkdir(mode=0o700)
    arrays = {name: getattr(held.base, name) for name in _BASE}
    arrays |= {"text_terms": held.text_terms, "text_frequencies": held.text_frequencies}
    for name, array in arrays.items():
        with (part / f"{name}.npy").open("wb") as file:
            np.save(file, array)
    (part / _TERMS).write_text(_SEPARATOR.join(held.terms), "utf-8")
    (part / _SUPPLIES).write_bytes(_HELD.dump_json(held.supplies))
    checksums = {path.name: _checksum(path) for path in sorted(part.iterdir())}
    crash_point("snapshot_part")
    (part / _MANIFEST).write_text(json.dumps({"origin": asdict(origin), "files": checksums}))
    for path in (*part.iterdir(), part):
        _to_disk(path)
    crash_point("snapshot_part")
    known = _snapshots(folder)
    number = int(known[0].name.partition("-")[0]) + 1 if known else 1
    made = part.rename(folder / f"{number:08d}-{origin.epoch}")
    _to_disk(folder)
    for old in known[KEPT - 1 :]:
        shutil.rmtree(old)
    return made


def read(folder: Path, origin: Origin) -> tuple[Held | None, list[str]]:
    """Return the newest snapshot of this origin, and why newer ones were refused."""
    refused: list[str] = []
    for path in _snapshots(folder):
        try:
            return _read(path, origin), refused
        except (OSError, ValueError, KeyError, TypeError) as error:
            refused.append(f"{path.name}: {error!r}")
    return None, refused


def _read(path: Path, origin: Origin) -> Held:
    manifest = json.loads((path / _MANIFEST).read_bytes())
    if manifest["origin"] != asdict(origin):
        raise ValueError("it is of another origin")
    for name, checksum in manifest["files"].items():
        if _checksum(path / name) != checksum:
            raise ValueError(f"{name} is damaged")
    text = (path / _TERMS).read_text("utf-8")
    return Held(
        text.split(_SEPARATOR) if text else [],
        _HELD.validate_json((path / _SUPPLIES).read_bytes()),
        _array(path, "text_terms"),
        _array(path, "text_frequencies"),
        Base(**{name: _array(path, name) for name in _BASE}),
    )


def _array(path: Path, name: str) -> Any:
    return np.asarray(np.load(path / f"{name}.npy", mmap_mode="r"))


def _snapshots(folder: Path) -> list[Path]:
    """Return the finished snapshots, the newest first."""
    return sorted(folder.glob("[0-9]*-[0-9]*"), reverse=True)


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found = zlib.crc32(piece, found)
    return found


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
