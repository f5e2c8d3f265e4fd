"""docs/lifecycles.md is what the tables say today."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_lifecycles", DOCS / "make_lifecycles.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_fresh(maker: Any) -> None:
    assert (DOCS / "lifecycles.md").read_text(encoding="utf-8") == maker.page()


def test_every_move_of_the_contract_is_drawn_and_listed_once(maker: Any, kinds: Any) -> None:
    chapters = maker.page().split("\n## ")[1:]
    for kind, chapter in zip(kinds.values(), chapters, strict=True):
        drawn = re.findall(r"^    (\w+) --> (\w+) : ", chapter, re.MULTILINE)
        listed = re.findall(r"^\| (\w+)<br>[^|]* \| (\w+)<br>", chapter, re.MULTILINE)
        assert sorted(drawn) == sorted(kind.table)
        assert sorted(listed) == sorted(kind.table)
        edges = re.findall(r"^    (\w+) --> (\w+) : ([^(\n]*)", chapter, re.MULTILINE)
        who = {
            (source, target): set(re.findall(r"owner|dost|operator|system", label))
            for source, target, label in edges
        }
        assert who == {move: set(rule.who) for move, rule in kind.table.items()}


def test_nothing_in_a_diagram_breaks_its_grammar(maker: Any) -> None:
    """An edge is one line, a label holds no second colon, semicolon or bracket of its grammar."""
    for diagram in re.findall(r"```mermaid\n(.*?)```", maker.page(), re.DOTALL):
        first, *lines = diagram.strip().splitlines()
        assert first == "stateDiagram-v2"
        for line in lines:
            assert re.fullmatch(
                r"    (direction TB|\[\*\] --> \w+|\w+ : [^:;{}\[\]]+|\w+ --> \w+ : [^:;{}\[\]]+)",
                line,
            ), line
