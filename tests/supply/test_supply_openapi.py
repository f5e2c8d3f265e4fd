"""The committed OpenAPI document is the app's."""

import json
from pathlib import Path

from shared.http.snapshot import snapshot

COMMITTED = Path(__file__).parents[2] / "svc-supply" / "openapi.json"


def test_the_snapshot_is_fresh() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == snapshot("svc_supply.main:create_app"), (
        "run `make contracts`"
    )


def test_every_operation_is_described() -> None:
    document = json.loads(COMMITTED.read_text(encoding="utf-8"))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (path, method)
            assert operation["description"], (path, method)
            assert operation["tags"], (path, method)
