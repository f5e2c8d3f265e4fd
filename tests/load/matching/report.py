"""The figures as a table for the terminal, as markdown, and beside their targets."""

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from load.matching.timing import Figures

Row = tuple[str, str, list[str]]
"""What, the target, and the figure of each size."""

TARGETS = {
    "whole": {22_000: "2 / 4", 100_000: "4 / 8", 1_000_000: "18 / 35"},
    "memory": {22_000: "45", 100_000: "190", 1_000_000: "1,800"},
    "affected": {5_000: "< 0.5", 100_000: "< 10"},
}
RATIOS = {
    "engine / scipy CSC": "≤ 0.6",
    "100k / 22k": "≤ 2.2",
    "reverse at 5k / forward": "≤ 0.1",
}


def ratios(sizes: dict[int, Figures]) -> dict[str, float | None]:
    """Return what can be compared between machines: figures of one run over others of it.

    They are of processor time, which other work on the machine changes least. «Forward» is
    without the words: they cost the same at every size and would flatter the ratio.
    """
    first = next((found for found in sizes.values() if "forward" in found), {})
    small, large = sizes.get(22_000, {}), sizes.get(100_000, {})
    reverse = [
        each["affected"] for each in first.get("reverse", []) if each["open_demands"] == 5000
    ]
    return {
        "engine / scipy CSC": _ratio(
            first.get("sparse"), first.get("peers", {}).get("scipy CSC", {}).get("search")
        ),
        "100k / 22k": _ratio(
            large.get("forward", {}).get("stored"), small.get("forward", {}).get("stored")
        ),
        "reverse at 5k / forward": _ratio(
            reverse[0] if reverse else None, first.get("forward", {}).get("stored")
        ),
    }


def _ratio(one: Figures | None, other: Figures | None) -> float | None:
    return round(one["cpu_p50_ms"] / other["cpu_p50_ms"], 3) if one and other else None


def rows(sizes: dict[int, Figures]) -> Iterator[Row]:
    """Yield every line of the table."""

    def line(what: str, target: str, read: Callable[[Figures], Any]) -> Row:
        return what, target, [_shown(read, found) for found in sizes.values()]

    def target(name: str) -> str:
        return " · ".join(TARGETS[name].get(size, "-") for size in sizes)

    yield line("whole demand, top 20 with its arithmetic", target("whole"), _of("stored"))
    yield line("… the list alone", "", _of("rank"))
    yield line("… and the words of all 20, as read", target("whole"), _of("whole"))
    yield line("index, arrays MB", target("memory"), lambda found: found["index"]["arrays_mb"])
    yield line("index, PSS MB", "", lambda found: found["index"]["pss_mb"])
    yield line("build from impacts, s", "", lambda found: found["index"]["build_s"])
    yield line("put, freeze, s", "", _put)
    opened = {each["open_demands"] for found in sizes.values() for each in found.get("reverse", [])}
    for demands in sorted(opened):
        text = TARGETS["affected"].get(demands, "-")
        yield line(f"new supply → affected of {demands:,}", text, _affected(demands, "affected"))
        yield line("… how many it concerns, mean", "", _how_many(demands))
        yield line("… and their pairs scored", "", _affected(demands, "affected_and_scored"))
        yield line("… upsert before it", "", _affected(demands, "upsert"))
    yield line("own words alone, top 100: Ketnoi", "", lambda found: _pair(found["sparse"]))
    peers = {name: None for found in sizes.values() for name in found.get("peers", {})}
    for name in peers:
        yield line(f"… {name}", "", lambda found, name=name: _pair(found["peers"][name]["search"]))


def _of(part: str) -> Callable[[Figures], str]:
    return lambda found: _pair(found["forward"][part])


def _put(found: Figures) -> str:
    return f"{found['index']['put_s']}, {found['index']['freeze_s']}"


def _affected(demands: int, part: str) -> Callable[[Figures], str]:
    def read(found: Figures) -> str:
        (measured,) = [each for each in found["reverse"] if each["open_demands"] == demands]
        return _pair(measured[part])

    return read


def _how_many(demands: int) -> Callable[[Figures], str]:
    def read(found: Figures) -> str:
        (measured,) = [each for each in found["reverse"] if each["open_demands"] == demands]
        return "bars dealt" if measured["affected_mean"] is None else f"{measured['affected_mean']}"

    return read


def _pair(figures: Figures) -> str:
    wall = f"{figures['p50_ms']:.2f} / {figures['p99_ms']:.2f}"
    return f"{wall} ({figures['cpu_p50_ms']:.2f})" if "cpu_p50_ms" in figures else wall


def _shown(read: Callable[[Figures], Any], found: Figures) -> str:
    try:
        value = read(found)
    except (KeyError, ValueError):
        return "-"
    return value if isinstance(value, str) else f"{value:,}"


def markdown(sizes: dict[int, Figures]) -> str:
    """Return the same table as markdown."""
    head = ["", "target", *(f"{size:,}" for size in sizes)]
    lines = [
        head,
        ["---"] * len(head),
        *([what, goal, *cells] for what, goal, cells in rows(sizes)),
    ]
    blank = [""] * (len(head) - 3)
    for name, value in ratios(sizes).items():
        lines.append([f"ratio {name}", RATIOS[name], "-" if value is None else str(value), *blank])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([table, "", *notes(sizes)]) + "\n"


def notes(sizes: dict[int, Figures]) -> list[str]:
    """Return what was not measured, and why."""
    return [
        f"{size:,}: not measured: {found['not_measured']}"
        for size, found in sizes.items()
        if "not_measured" in found
    ]


def show(sizes: dict[int, Figures], title: str) -> None:
    table = Table("what", "target", *(f"{size:,}" for size in sizes), title=title)
    for what, goal, cells in rows(sizes):
        table.add_row(what, goal, *cells)
    console = Console(width=120)
    console.print(table)
    for name, value in ratios(sizes).items():
        console.print(f"ratio {name}: {'-' if value is None else value} (target {RATIOS[name]})")
    for note in notes(sizes):
        console.print(note)
