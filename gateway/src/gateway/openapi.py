"""Build step: merge the services' committed snapshots with the gateway's own routes.

`python -m gateway.openapi` writes `openapi.json` beside this file; with `--check` it only tells,
by its exit code, whether the committed file is what it would write.
"""

import json
import sys
from pathlib import Path
from typing import Any

from gateway.domain.openapi_merge import MergeError, merge
from gateway.main import create_app
from gateway.settings import Settings

SERVICES = ("svc-demand", "svc-supply", "svc-matching", "svc-reporting")
TARGET = Path(__file__).with_name("openapi.json")
WORKSPACE = Path(__file__).parents[3]


def merged_document(workspace: Path) -> str:
    """Return the document as text, in one order, so that a change shows as a small diff."""
    snapshots: dict[str, dict[str, Any]] = {
        name: json.loads((workspace / name / "openapi.json").read_text(encoding="utf-8"))
        for name in SERVICES
    }
    document = merge(create_app(Settings()).openapi(), snapshots)
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check; the exit code is 1 when the file is stale or cannot be made."""
    try:
        text = merged_document(WORKSPACE)
    except (OSError, MergeError) as error:
        sys.stderr.write(f"cannot merge the OpenAPI documents: {error}\n")
        return 1
    if "--check" in arguments:
        if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{TARGET} is stale: run python -m gateway.openapi\n")
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
