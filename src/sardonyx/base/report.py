"""What the compiler decided and what it cost, as plain data that travels with the program.

Picklable and JSON-serialisable; must not know the objects it speaks of, only their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.named import NamedTuple


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
    the cache), `quick_kernels` (those whose code was compiled quickly and not yet in full),
    `weight_bytes`, `arena_bytes`. `operators` has the ONNX operator of every node by its name. `fault` says
    why code that was compiled quickly stays in use, if something went wrong.
    """

    decisions: list[Decision] = field(default_factory=list)
    kernels: list[KernelNote] = field(default_factory=list)
    fallbacks: list[FallbackNote] = field(default_factory=list)
    timings: list[StageTime] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    operators: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    def count(self, counter: str, amount: int = 1) -> None:
        """Add `amount` to a counter."""
        self.counters[counter] = self.counters.get(counter, 0) + amount

    def note_host(self, operation: str, nodes: Sequence[str]) -> None:
        """Note an operation without a native kernel, once for a node."""
        node = ", ".join(nodes)
        if not node or all(note.node != node for note in self.fallbacks):
            self.fallbacks.append(FallbackNote(operation, node, "no native kernel"))

    def as_json(self) -> dict[str, Any]:
        """Lists and dicts of text and numbers; `from_json` is the inverse."""
        rows: dict[str, Sequence[Any]] = {
            "decisions": self.decisions,
            "kernels": self.kernels,
            "fallbacks": self.fallbacks,
            "timings": self.timings,
        }
        named: dict[str, Any] = {name: [row._asdict() for row in table] for name, table in rows.items()}
        return {
            **named,
            "counters": dict(self.counters),
            "operators": dict(self.operators),
            "fault": self.fault,
        }

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
            fault=data.get("fault", ""),
        )
