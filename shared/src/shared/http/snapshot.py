"""Writes an app's OpenAPI document to a file, so that a change of the contract shows in a diff."""

import importlib
import json
import sys
from pathlib import Path

from fastapi import FastAPI


def snapshot(factory: str) -> str:
    """Return the document of the app that `factory` ("package.module:function") makes."""
    module, _, name = factory.partition(":")
    app: FastAPI = getattr(importlib.import_module(module), name)()
    return json.dumps(app.openapi(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(snapshot(sys.argv[1]), encoding="utf-8")
