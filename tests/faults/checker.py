"""Judges from outside whether the promises were kept: history, tables and streams, no product code.

I1  no acknowledged write is lost: its version holds its content, or a later version is there,
    and no two acknowledged changes were made to the same version
I2  every published demand is ranked in its newest version, once an epoch; nothing else is
I3  every event has one effect in each reader, every intention one resource, every pair one row
I4  a text that is private to one client is in no byte that another one was given
I5  the dashboard says what a recount of the sources says
I6  versions of an aggregate only grow, in what is sent and in every copy
I7  nothing is on its way any more: outboxes, consumers, dead letters other than the expected
I8  a refusal is a problem document, a 2xx is readable and says what was written
I9  a write without an answer happened wholly or not at all: row, history and event agree
I10 the history of moves is gapless and only grows (there is no signed audit chain yet)
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.evidence import OWNED, SUBJECTS, TOPICS, Evidence, Sent
from faults.history import CANARY, Call, History, canary

Findings = Iterator[str]


@dataclass(slots=True)
class Report:
    """Findings by invariant; a figure or two beside them."""

    findings: dict[str, list[str]]
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def broken(self) -> set[str]:
        return {name for name, found in self.findings.items() if found}

    def __str__(self) -> str:
        lines = [f"{'invariant':<10} {'broken':>6}  first finding"]
        for name, found in self.findings.items():
            lines.append(f"{name:<10} {len(found):>6}  {found[0] if found else '–'}"[:150])
        lines += [f"{name:<28} {value}" for name, value in self.figures.items()]
        return "\n".join(lines)

    def write(self, file: Path) -> None:
        """Keep it as JSON, at most twenty findings of each kind."""
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: found[:20] for name, found in self.findings.items()}
        counts = {name: len(found) for name, found in self.findings.items()}
        whole = {"figures": self.figures, "broken": counts, "findings": kept}
        file.write_text(json.dumps(whole, indent=2, ensure_ascii=False, default=str) + "\n")


def judge(
    history: History,
    evidence: Evidence,
    *,
    earlier: Evidence | None = None,
    letters: frozenset[str] = frozenset(),
    read_late: frozenset[str] = frozenset(),
) -> Report:
    """Look at everything. `letters` are the ids of events that must be dead letters; `read_late`
    names consumers whose inbox began after the first events.
    """
    checks: dict[str, Callable[[], Findings]] = {
        "I1": lambda: lost_writes(history, evidence),
        "I2": lambda: match_runs(evidence),
        "I3": lambda: effects(history, evidence, letters, read_late),
        "I4": lambda: leaks(history),
        "I5": lambda: recount(evidence),
        "I6": lambda: versions(evidence),
        "I7": lambda: rest(evidence, letters),
        "I8": lambda: answers(history),
        "I9": lambda: whole_or_nothing(evidence),
        "I10": lambda: histories(evidence, earlier),
    }
    writes = history.acknowledged
    unanswered = sum(1 for call in history if call.is_write and call.status is None)
    return Report(
        {name: list(check()) for name, check in checks.items()},
        {
            "calls": len(history),
            "writes acknowledged": len(writes),
            "writes without an answer": unanswered,
            "events": sum(len(rows) for rows in evidence.outbox.values()),
        },
    )


def _by_version(evidence: Evidence, name: str) -> dict[tuple[str, int], Sent]:
    topic = TOPICS[name]
    return {
        (sent.aggregate, sent.version): sent
        for sent in evidence.outbox[OWNED[name]]
        if sent.topic == topic
    }


def _owned(call: Call) -> bool:
    return call.kind in OWNED and call.id is not None and call.version is not None


def lost_writes(history: History, evidence: Evidence) -> Findings:
    """I1."""
    sent = {name: _by_version(evidence, name) for name in OWNED}
    changed: dict[tuple[str, int], set[str]] = defaultdict(set)
    for call in filter(_owned, history.acknowledged):
        row = evidence.resources[call.kind].get(str(call.id))
        what = f"{call.method} {call.path} version {call.version}"
        if row is None:
            yield f"{what}: acknowledged, not there"
            continue
        if row["version"] < call.version:
            yield f"{what}: acknowledged, only version {row['version']} is there"
        if call.marker:
            event = sent[call.kind].get((str(call.id), call.version))
            title = event.data["title"] if event else row["title"]
            is_newest = row["version"] == call.version
            if (event or is_newest) and call.marker not in title:
                yield f"{what}: acknowledged with {call.marker}, holds {title!r}"
        if call.if_match is not None:
            changed[str(call.id), call.if_match].add(call.operation)
    for (resource, version), operations in changed.items():
        if len(operations) > 1:
            yield f"{resource} version {version}: changed {len(operations)} times, each confirmed"


def match_runs(evidence: Evidence) -> Findings:
    """I2."""
    accepted = {
        (sent.aggregate, sent.version)
        for sent in evidence.outbox["demand"]
        if sent.data.get("status") == "PUBLISHED"
    }
    runs = Counter(evidence.runs)
    for (demand, version, epoch), count in runs.items():
        if count > 1:
            yield f"demand {demand} version {version}: ranked {count} times in epoch {epoch}"
        if (demand, version) not in accepted:
            yield f"demand {demand} version {version}: ranked, but never accepted"
    for demand, row in evidence.resources["demands"].items():
        state = evidence.states.get(demand)
        if row["status"] != "PUBLISHED":
            if state is not None and state["is_open"]:
                yield f"demand {demand}: {row['status']}, but its list is open"
        elif state is None or state["demand_version"] != row["version"]:
            known = state and state["demand_version"]
            yield f"demand {demand}: version {row['version']}, ranked in {known}"
        elif not runs[demand, row["version"], state["index_epoch"]]:
            yield f"demand {demand} version {row['version']}: no run in {state['index_epoch']}"


def effects(
    history: History, evidence: Evidence, letters: frozenset[str], read_late: frozenset[str]
) -> Findings:
    """I3."""
    for pair, count in Counter(evidence.pairs).items():
        if count > 1:
            yield f"pair {pair}: {count} rows"
    yield from _inboxes(evidence, letters, read_late)
    yield from _stored(evidence)
    if evidence.ledger is not None:
        yield from _ledger(evidence, letters)
    yield from _intentions(history, evidence)


def _inboxes(evidence: Evidence, letters: frozenset[str], read_late: frozenset[str]) -> Findings:
    published = {sent.event_id: sent for rows in evidence.outbox.values() for sent in rows}
    for consumer, prefix in SUBJECTS.items():
        if consumer in read_late:
            continue
        wanted = {e for e, sent in published.items() if sent.type.startswith(prefix)} - letters
        for event in wanted - evidence.inbox.get(consumer, set()):
            yield f"{consumer}: no effect of {published[event].type} {event}"


def _stored(evidence: Evidence) -> Findings:
    for event, count in Counter(evidence.stream).items():
        if count > 1:
            yield f"stream: {event[1]} {event[0]} stored {count} times"
    kinds = Counter(event[1:] for event in set(evidence.stream))
    for (kind, aggregate, version), count in kinds.items():
        if count > 1:
            yield f"stream: {kind} {aggregate} version {version} under {count} ids"


def _ledger(evidence: Evidence, letters: frozenset[str]) -> Findings:
    entries = Counter(evidence.ledger)
    for event, count in entries.items():
        if count > 1:
            yield f"ledger: {count} effects of event {event}"
    for sent in evidence.outbox["demand"]:
        is_read = sent.topic == TOPICS["demands"] and sent.event_id not in letters
        if is_read and not entries[sent.event_id]:
            yield f"ledger: no effect of event {sent.event_id}"


def _intentions(history: History, evidence: Evidence) -> Findings:
    """One resource for each creation and each reference, the same answer for each repeat."""
    answers: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    keys = {call.marker: call.key for call in history if call.method == "POST" and call.marker}
    for call in history.acknowledged:
        if call.key:
            answers[f"{call.client} {call.key}"].add((call.id, call.body))
    for key, given in answers.items():
        if len(given) > 1:
            yield f"key {key}: {len(given)} different answers"
    for name in OWNED:
        rows = evidence.resources[name].values()
        made = Counter(row["title"].rpartition(" ")[2] for row in rows)
        for marker, count in made.items():
            if count > 1 and marker in keys:
                known = evidence.keys.get(str(keys[marker]), "not there")
                born = [
                    f"{row['id']} at {evidence.moves[name].get(row['id'], [['?']])[0][-1]}"
                    for row in rows
                    if row["title"].endswith(f" {marker}")
                ]
                yield f"{name}: {count} resources of one creation, {born}; key {known}"
        references = Counter(
            (row["owner"], row["source_system"], row["source_ref"])
            for row in rows
            if row["source_ref"]
        )
        for reference, count in references.items():
            if count > 1:
                yield f"{name}: {count} resources with the reference {reference}"


def leaks(history: History) -> Findings:
    """I4."""
    for call in history:
        own = {canary(name, 0)[:-1] for name in (call.client,)}
        if call.client == "operator":
            continue
        for word in call.canaries:
            if word.rstrip("0123456789") not in own:
                yield f"{call.client} was given {word} by {call.method} {call.path}"


def recount(evidence: Evidence) -> Findings:
    """I5."""
    if evidence.dashboard is None:
        return
    ever = {
        name: [i for i, moves in by_id.items() if any(move[3] == "PUBLISHED" for move in moves)]
        for name, by_id in evidence.moves.items()
    }
    demands = evidence.resources["demands"]
    by_status = Counter(demands[i]["status"] for i in ever["demands"])
    said, funnel = evidence.dashboard, evidence.dashboard["funnel"]
    announced = sum(row["announced"] for row in demands.values())
    figures = {
        "demands_published": (funnel["demands_published"], len(ever["demands"])),
        "demands_received": (funnel["demands_received"], announced),
        "supplies_published": (funnel["supplies_published"], len(ever["supplies"])),
        "matches": (funnel["matches"], evidence.listed),
        "open": (said["coverage"]["published"], by_status["PUBLISHED"]),
        "by_status": (
            {each["status"]: each["count"] for each in said["demands"]["by_status"]},
            dict(by_status),
        ),
    }
    for name, (shown, counted) in figures.items():
        if shown != counted:
            yield f"dashboard says {name} {shown}, the sources {counted}"


def versions(evidence: Evidence) -> Findings:
    """I6."""
    newest: dict[tuple[str, str], int] = {}
    for rows in evidence.outbox.values():
        for sent in sorted(rows, key=lambda row: row.seq):
            last = newest.get((sent.topic, sent.aggregate), 0)
            if sent.version <= last:
                yield f"{sent.topic} {sent.aggregate}: version {sent.version} after {last}"
            newest[sent.topic, sent.aggregate] = max(last, sent.version)
    topics = {
        "matching.item": ("demand.request", "supply.offer"),
        "reporting.demand_fact": ("demand.request",),
        "reporting.supply_fact": ("supply.offer",),
    }
    for copy, read in topics.items():
        for (topic, aggregate), version in newest.items():
            held = evidence.projections[copy].get(aggregate)
            if topic in read and held != version:
                yield f"{copy} {aggregate}: holds version {held}, sent were up to {version}"


def rest(evidence: Evidence, letters: frozenset[str]) -> Findings:
    """I7."""
    for schema, rows in evidence.outbox.items():
        waiting = [sent.seq for sent in rows if not sent.is_published]
        if waiting:
            yield f"{schema}.outbox: {len(waiting)} events unsent, the first is {waiting[0]}"
    for consumer, count in evidence.pending.items():
        if count:
            yield f"{consumer}: {count} messages pending"
    buried = {message for _, message, state in evidence.letters if state in ("OPEN", "RETRYING")}
    for message in buried - letters:
        yield f"unexpected dead letter {message}"
    for message in letters - buried:
        yield f"dead letter missing: {message}"


def answers(history: History) -> Findings:
    """I8."""
    for call in history:
        if call.status is None:
            continue
        what = f"{call.method} {call.path}: {call.status}"
        if call.status >= 400 and not call.problem:
            yield f"{what} without a problem document"
        elif call.acknowledged and call.error:
            yield f"{what} with a body that is no JSON"
        elif call.acknowledged and call.is_write and call.kind in OWNED and not _owned(call):
            yield f"{what} without id and version"


def whole_or_nothing(evidence: Evidence) -> Findings:
    """I9."""
    for name, rows in evidence.resources.items():
        sent = _by_version(evidence, name)
        of: dict[str, list[int]] = defaultdict(list)
        for aggregate, version in sent:
            of[aggregate].append(version)
        for resource, row in rows.items():
            told = sorted(of.pop(resource, []))
            if row["announced"] and told[-1:] != [row["version"]]:
                yield f"{name} {resource}: version {row['version']}, events up to {told[-1:]}"
            elif told and told != list(range(told[0], told[-1] + 1)):
                yield f"{name} {resource}: events of versions {told}"
            elif told and sent[resource, told[-1]].data["title"] != row["title"]:
                yield f"{name} {resource}: the row and its event differ"
            if not evidence.moves[name].get(resource):
                yield f"{name} {resource}: no history"
        for aggregate in of:
            yield f"{name} {aggregate}: events, but no row"
        for resource in evidence.moves[name].keys() - rows.keys():
            yield f"{name} {resource}: history, but no row"


def histories(evidence: Evidence, earlier: Evidence | None) -> Findings:
    """I10."""
    for name, by_id in evidence.moves.items():
        for resource, moves in by_id.items():
            status = None
            steps: Counter[int] = Counter()
            for version, step, source, target, *_ in moves:
                if source != status or step != steps[version]:
                    yield f"{name} {resource}: a gap before version {version} step {step}"
                status = target
                steps[version] += 1
            row = evidence.resources[name].get(resource)
            if row and (status != row["status"] or moves[-1][0] > row["version"]):
                yield f"{name} {resource}: history ends in {status}, the row is {row['status']}"
        for resource, moves in (earlier.moves[name] if earlier else {}).items():
            if by_id.get(resource, [])[: len(moves)] != moves:
                yield f"{name} {resource}: what was written of the past has changed"


assert CANARY.fullmatch(canary("dost-19", 1).encode())
