"""Prints program data: the calls of every segment, where threads meet, what the host does, and the memory."""

from __future__ import annotations

from sardonyx.base.abi import BARRIER_AFTER, IDLE, JUMP
from sardonyx.runtime.data import ProgramData, Segment, Source, StorageSpec


def text(data: ProgramData) -> str:
    """One line a call, step and storage."""
    lines: list[str] = []
    for number, segment in enumerate(data.segments):
        lines.append(f"segment {number}: sizes {', '.join(segment.names) or 'none'}")
        lines += _segment(segment)
    lines += [f"storage {number}: {_storage(spec)}" for number, spec in enumerate(data.storages)]
    found = [f"host result {v.host}" if v.host >= 0 else f"storage {v.storage}" for v in data.results]
    if data.closing is not None:

        def where(source: Source) -> str:
            return found[source.number] if source.kind == "made" else f"{source.kind} {source.number}"

        for number, step in enumerate(data.closing.steps):
            lines.append(f"closing step {number} {step.name} of {', '.join(map(where, step.args))}")
        found = [where(source) for source in data.closing.results]
    lines += [f"output {info.name}: {place}" for info, place in zip(data.outputs, found, strict=True)]
    return "\n".join(lines) + "\n"


def _segment(segment: Segment) -> list[str]:
    lines: list[str] = []
    at = 0
    calls = zip(segment.functions, segment.origins, segment.counts, segment.flags, strict=True)
    for number, (name, origins, count, flag) in enumerate(calls):
        if flag & JUMP:
            what = f"jump to call {number + 1 + int(segment.words[3, at + 1])} {_unless(segment, at, flag)}"
        else:
            what = f"call {name} with {count} words"
        lines.append(f"  {what}  # {', '.join(origins)}".rstrip(" #"))
        lines += ["  barrier"] if flag & BARRIER_AFTER else []
        at += count
    lines += [f"  check {message}" for message in segment.checks]
    lines += [
        f"  size {name} from element {at} of storage {view.storage}" for view, at, name in segment.after
    ]
    if segment.host is not None:
        binds = [name for name, _, _ in segment.host.binds]
        sizes = f", gives sizes {', '.join(binds)}" if binds else ""
        lines.append(f"  host {segment.host.name} -> {list(segment.host.into)}{sizes}")
    return lines


def _unless(segment: Segment, at: int, flag: int) -> str:
    """The condition of a jump whose words begin at a position."""
    if flag & IDLE:
        return "on all threads but the first if that works alone"
    storage, _, _, byte = segment.words[:, at].tolist()
    return "" if storage < 0 else f"unless byte {byte} of storage {storage}"


def _storage(spec: StorageSpec) -> str:
    if spec.kind != "arena":
        return f"{spec.kind} {spec.dtype} {spec.number}"
    last = "the end" if spec.last < 0 else str(spec.last)
    return f"arena {spec.dtype} slot {spec.slot} of segment {spec.segment}, phases {spec.first} to {last}"
