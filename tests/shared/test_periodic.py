"""A background task goes on at once while there is work, and outlives a passing fault."""

import asyncio

import pytest

from shared.outbox import periodic


async def test_work_is_done_at_once_and_again_when_woken() -> None:
    left = [3]
    woken, stop, idle = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def step() -> bool:
        left[0] -= 1
        if left[0] <= 0:
            idle.set()
        return left[0] > 0

    running = asyncio.create_task(periodic("test", step, 3600, woken)(stop))
    await idle.wait()
    idle.clear()
    left[0] = 2
    woken.set()
    await idle.wait()
    stop.set()
    await running
    assert left == [0]


async def test_a_passing_fault_only_delays() -> None:
    faults = [OSError("away"), TimeoutError()]
    stop = asyncio.Event()

    async def step() -> bool:
        if faults:
            raise faults.pop()
        stop.set()
        return False

    await periodic("test", step, 3600)(stop)
    assert faults == []


async def test_anything_else_is_the_worker_s_to_see() -> None:
    async def step() -> bool:
        raise ValueError("unforeseen")

    with pytest.raises(ValueError, match="unforeseen"):
        await periodic("test", step, 3600)(asyncio.Event())
