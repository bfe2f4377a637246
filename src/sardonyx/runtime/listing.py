"""Prints program data: the calls of every segment, where threads meet, what the host does, and the memory."""

from __future__ import annotations

from sardonyx.runtime.data import ProgramData, Segment, StorageSpec


def text(data: ProgramData) -> str:
    """One line a call, step and storage."""
    lines: list[str] = []
    for number, segment in enumerate(data.segments):
        lines.append(f"segment {number}: sizes {', '.join(segment.names) or 'none'}")
        lines += _segment(segment)
    lines += [f"storage {number}: {_storage(spec)}" for number, spec in enumerate(data.storages)]
    for info, view in zip(data.outputs, data.results, strict=True):
        where = f"host result {view.host}" if view.host >= 0 else f"storage {view.storage}"
        lines.append(f"output {info.name}: {where}")
    return "\n".join(lines) + "\n"


def _segment(segment: Segment) -> list[str]:
    lines = []
    for name, origins, count, flag in zip(
        segment.functions, segment.origins, segment.counts, segment.flags, strict=True
    ):
        lines.append(f"  call {name} with {count} words  # {', '.join(origins)}".rstrip(" #"))
        lines += ["  barrier"] if flag else []
    lines += [f"  check {message}" for _, _, message in segment.checks]
    lines += [
        f"  size {name} from element {at} of storage {view.storage}" for view, at, name in segment.after
    ]
    if segment.host is not None:
        binds = [name for name, _, _ in segment.host.binds]
        sizes = f", gives sizes {', '.join(binds)}" if binds else ""
        lines.append(f"  host {segment.host.name} -> {list(segment.host.into)}{sizes}")
    return lines


def _storage(spec: StorageSpec) -> str:
    if spec.kind != "arena":
        return f"{spec.kind} {spec.dtype} {spec.number}"
    last = "the end" if spec.last < 0 else str(spec.last)
    return f"arena {spec.dtype} slot {spec.slot} of segment {spec.segment}, phases {spec.first} to {last}"
