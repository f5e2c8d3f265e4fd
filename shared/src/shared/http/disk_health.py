"""How much room is left where the data lies; a full disk stops writing everywhere at once."""

import shutil
from pathlib import Path

from shared.http.metrics import DISK_FREE, Reading
from shared.kernel.health import Check

LOW_BYTES = 1024**3
FULL_BYTES = 32 * 1024**2
_LOW_SHARE, _FULL_SHARE = 10, 50
"""On a small volume a tenth is low, and a fiftieth is as good as nothing."""


class DiskHealth:
    """Looks at the volume of a folder, and at those of the folders in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def check(self) -> Check:
        found = [_look(folder) for folder in self._volumes()]
        return max(found, key=lambda check: ("pass", "warn", "fail").index(check.status))

    def _volumes(self) -> list[Path]:
        """Return one folder for each volume; the servers' own folders may be mounted apart."""
        volumes: dict[int, Path] = {}
        for folder in (self._folder, *sorted(self._folder.iterdir())):
            volumes.setdefault(folder.stat().st_dev, folder)
        return list(volumes.values())

    async def collect(self, reading: Reading) -> None:
        for folder in self._volumes():
            reading.put(DISK_FREE, shutil.disk_usage(folder).free, str(folder))


def _look(folder: Path) -> Check:
    usage = shutil.disk_usage(folder)
    free_mb = usage.free // 1024**2
    output = f"{folder}: {free_mb} MB free of {usage.total // 1024**2}"
    if usage.free < min(FULL_BYTES, usage.total // _FULL_SHARE):
        return Check("fail", "disk_full", free_mb, "MB free", output)
    if usage.free < min(LOW_BYTES, usage.total // _LOW_SHARE):
        return Check("warn", "disk_low", free_mb, "MB free", output)
    return Check("pass", observed=free_mb, unit="MB free")
