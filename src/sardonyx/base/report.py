"""What the compiler decided and what it cost, as plain data that travels with the program.

Picklable and JSON-serialisable; must not know the objects it speaks of, only their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Decision(NamedTuple):
    """One choice: `subject` got `verdict` because of `reason`; `gain_bytes` is memory traffic saved."""

    subject: str
    verdict: str
    reason: str = ""
    gain_bytes: int = 0


class KernelNote(NamedTuple):
    """One kernel: the ONNX nodes it computes, its kind, its printable plan, what its products are."""

    name: str
    origins: tuple[str, ...] = ()
    kind: str = ""
    plan: str = ""
    arithmetic: str = ""


class FallbackNote(NamedTuple):
    """One operator without native code: its type, its node, and why."""

    op: str
    node: str
    reason: str = ""


class StageTime(NamedTuple):
    """How long one compile stage took."""

    stage: str
    elapsed_ms: float


@dataclass(slots=True)
class Report:
    """Everything worth knowing about one compiled program.

    `counters` holds whole numbers by name, among them `compiles` (kernels compiled rather than found in
    the cache), `weight_bytes`, `arena_bytes`. `operators` has the ONNX operator of every node by its name.
    """

    decisions: list[Decision] = field(default_factory=list)
    kernels: list[KernelNote] = field(default_factory=list)
    fallbacks: list[FallbackNote] = field(default_factory=list)
    timings: list[StageTime] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    operators: dict[str, str] = field(default_factory=dict)

    def count(self, counter: str, amount: int = 1) -> None:
        """Add `amount` to a counter."""
        self.counters[counter] = self.counters.get(counter, 0) + amount

    def as_json(self) -> dict[str, Any]:
        """Lists and dicts of text and numbers; `from_json` is the inverse."""
        rows: dict[str, Sequence[Any]] = {
            "decisions": self.decisions,
            "kernels": self.kernels,
            "fallbacks": self.fallbacks,
            "timings": self.timings,
        }
        named: dict[str, Any] = {name: [row._asdict() for row in table] for name, table in rows.items()}
        return {**named, "counters": dict(self.counters), "operators": dict(self.operators)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The report that `as_json` wrote."""
        return cls(
            decisions=[Decision(**row) for row in data.get("decisions", ())],
            kernels=[
                KernelNote(**{**row, "origins": tuple(row["origins"])}) for row in data.get("kernels", ())
            ],
            fallbacks=[FallbackNote(**row) for row in data.get("fallbacks", ())],
            timings=[StageTime(**row) for row in data.get("timings", ())],
            counters=dict(data.get("counters", {})),
            operators=dict(data.get("operators", {})),
        )

    def text(self, *, refused: bool = True) -> str:
        """The report for a reader: kernels with the decisions about them, fallbacks, times, counters.

        `refused` adds what was considered and not done.
        """
        about: dict[str, list[Decision]] = {}
        for decision in self.decisions:
            about.setdefault(decision.subject, []).append(decision)
        lines = [f"{len(self.kernels)} kernels, {len(self.fallbacks)} operators outside native code"]
        for kernel in self.kernels:
            lines.append(_kernel_line(kernel))
            lines += [_decision_line(d) for d in about.pop(kernel.name, ()) if refused or d.gain_bytes > 0]
        rest = [d for group in about.values() for d in group]
        if rest and refused:
            lines.append("other decisions")
            lines += [_decision_line(d, with_subject=True) for d in rest]
        if self.fallbacks:
            lines.append("not native")
            lines += [f"    {note.op:<20} {note.node}  {note.reason}".rstrip() for note in self.fallbacks]
        if self.timings:
            total = sum(time.elapsed_ms for time in self.timings)
            stages = ", ".join(f"{time.stage} {time.elapsed_ms:.1f}" for time in self.timings)
            lines.append(f"compile time {total:.1f} ms ({stages})")
        if self.counters:
            lines.append(
                "counters  " + ", ".join(f"{name} {value}" for name, value in sorted(self.counters.items()))
            )
        return "\n".join(lines)


def _kernel_line(kernel: KernelNote) -> str:
    cells = [f"{kernel.name:<6}", " + ".join(kernel.origins), kernel.kind, kernel.plan]
    if kernel.arithmetic:
        cells.append(f"[{kernel.arithmetic}]")
    return "  ".join(cell for cell in cells if cell)


def _decision_line(decision: Decision, *, with_subject: bool = False) -> str:
    subject = f"{decision.subject}: " if with_subject else ""
    gain = f"  ({decision.gain_bytes} bytes of traffic saved)" if decision.gain_bytes > 0 else ""
    reason = f": {decision.reason}" if decision.reason else ""
    return f"    {subject}{decision.verdict}{reason}{gain}"
