"""One cluster for all fault tests of a session; each test begins on empty tables."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults.cluster import Cluster, cluster
from faults.trial import Trial


@pytest.fixture(scope="session")
async def faulty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Servers, links and a fork host; no service runs yet."""
    async with cluster(tmp_path_factory.mktemp("faulty"), services=()) as running:
        yield running


@pytest.fixture(scope="session")
def tokens() -> dict[str, str]:
    """Tokens outlive a trial: clients and keys stay."""
    return {}


@pytest.fixture
async def trial(faulty: Cluster, tokens: dict[str, str], tmp_path: Path) -> AsyncIterator[Trial]:
    made = Trial(faulty, tmp_path, tokens)
    yield made
    faulty.mend()
    await made.close()
    await faulty.stop()
