"""A file that names one key several times is worked on in the file's order."""

import json
from typing import Any

import pytest

from shared.imports.runner import ImportRunner

Headers = dict[str, str]


@pytest.fixture
def planter(authorization: Any, unique: str) -> Headers:
    return authorization("operator", f"importing-{unique}")


async def imported(kind: Any, headers: Headers, rows: list[tuple[str, str]]) -> dict[str, int]:
    lines = [
        json.dumps({**kind.complete, "title": title, "status": "PUBLISHED", **kind.keyed("f", key)})
        for key, title in rows
    ]
    answer = await kind.client.post(
        "/v1/imports",
        data={"kind": kind.plural.upper()},
        files={"file": ("rows.jsonl", "\n".join(lines).encode())},
        headers=headers,
    )
    assert answer.status_code == 202, answer.text
    runner = ImportRunner(kind.app.state.imports)
    while await runner.step():
        pass
    job = (await kind.client.get(f"/v1/imports/{answer.json()['id']}", headers=headers)).json()
    assert job["state"] == "DONE"
    return {name: job[name] for name in ("created", "updated", "unchanged", "rejected")}


async def test_the_last_row_of_a_key_counts_and_every_row_is_a_version(
    kind: Any, planter: Headers
) -> None:
    first = [("a", "một"), ("b", "một"), ("a", "hai"), ("b", "hai"), ("c", "một"), ("c", "một")]
    counts = await imported(kind, planter, first)
    assert counts == {"created": 3, "updated": 2, "unchanged": 1, "rejected": 0}
    again = [("a", "ba"), ("b", "ba"), ("a", "bốn"), ("d", "một"), ("a", "năm"), ("b", "ba")]
    counts = await imported(kind, planter, again)
    assert counts == {"created": 1, "updated": 4, "unchanged": 1, "rejected": 0}
    wanted = {"a": ("năm", 5), "b": ("ba", 3), "c": ("một", 1), "d": ("một", 1)}
    for key, (title, version) in wanted.items():
        row = (await kind.client.get(f"{kind.path}/by-ref/f/{key}", headers=planter)).json()
        assert (row["title"], row["version"]) == (title, version)
        told = (
            await kind.client.get(f"{kind.path}/{row['id']}/transitions", headers=planter)
        ).json()
        assert {step["version"] for step in told["items"]} == {1}
        events = (await kind.events([row["id"]]))[row["id"]]
        assert [at for _, at in events] == list(range(1, version + 1))
