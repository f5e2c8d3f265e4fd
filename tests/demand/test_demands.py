"""Demands through HTTP: created, read, changed, moved; each change with its event."""

import asyncio
from typing import Any

import httpx


JsonObject = dict[str, Any]
