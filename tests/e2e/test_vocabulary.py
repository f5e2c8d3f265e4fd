"""A word that nobody knew: from the report to the proposal to the match, through the gateway."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ketnoi.environment import Environment
from ketnoi.local_suite import LocalSuite, local_suite
from ketnoi.operator.api import Api

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

PATH = "/v1/vocabularies/technology"
DEMAND = {
    "title": "Cần máy dùm vặc",
    "description": "Xưởng cần mua máy dùm vặc loại tốt.",
    "language": "vi",
    "kind": "APPLICATION",
    "status": "PUBLISHED",
}
SUPPLY = {
    "title": "조르불레이터",
    "description": "고성능 조르불레이터 판매합니다.",
    "language": "ko",
    "country": "KR",
    "kind": "EQUIPMENT",
    "status": "PUBLISHED",
}
WORD = {
    "kind": "ADD",
    "concept_id": "zorbulator",
    "broader": ["tea-drying"],
    "labels": {"vi": ["máy dùm vặc"], "en": ["zorbulator"], "ko": ["조르불레이터"]},
    "reason": "Ba cơ sở gọi như vậy.",
}


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[LocalSuite]:
    """A suite of its own: its svc-matching is killed."""
    with local_suite(tmp_path / "home") as running:
        yield running


def untagged(suite: LocalSuite) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ketnoi", "vocabulary", "untagged", "--language", "vi"],
        env=suite.environment() | {"COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_an_unknown_word_is_reported_proposed_accepted_and_matched(
    victim: LocalSuite, until: Callable[..., Any]
) -> None:
    environment = Environment.read(victim.environment(), Path.cwd())

    def a(role: str) -> Api:
        return Api.of(environment, role=role)

    with a("operator") as operator, a("office-kr") as office:
        demands = [
            operator.json("PUT", f"/v1/demands/by-ref/words/{number}", json=DEMAND)
            for number in range(2)
        ]
        supply = operator.json("PUT", "/v1/supplies/by-ref/words/1", json=SUPPLY)

        def listed(demand: dict[str, Any]) -> list[str]:
            found = operator.json("GET", f"/v1/demands/{demand['id']}/matches")
            return [item["supply_id"] for item in found["items"]]

        until(lambda: operator.json("GET", "/v1/matching/state")["live_supplies"] == 1)
        assert [listed(each) for each in demands] == [[], []]
        assert "máy dùm vặc" in until(lambda: "dùm vặc" in untagged(victim) and untagged(victim))

        made = office.json("POST", f"{PATH}/proposals", json=WORD)
        move = {"to": "ACCEPTED", "reason": "Đúng là một loại máy."}
        way = f"{PATH}/proposals/{made['id']}/transitions"
        done = operator.json("POST", way, json=move, headers={"If-Match": '"1"'})
        version = done["vocabulary_version"]
        os.kill(victim.state["processes"]["svc-matching"], signal.SIGKILL)

        def in_use() -> bool:
            answer = operator.request("GET", f"{PATH}/versions")
            return answer.is_success and answer.json()["in_use"] == version

        until(in_use, 60)
        for demand in demands:
            until(lambda wanting=demand: listed(wanting) == [supply["id"]])
        assert "máy dùm vặc" not in untagged(victim)

        os.kill(victim.state["processes"]["svc-matching"], signal.SIGKILL)
        late = operator.json("PUT", "/v1/demands/by-ref/words/late", json=DEMAND)
        until(lambda: listed(late) == [supply["id"]], 60)
        assert in_use()
