"""What is known of a fuzz run: counts, faults, and how each is run again. Knows no processes."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sardonyx import targets
from sardonyx.targets.x86_64 import isa
from tests.fuzz import worker


@dataclass
class Tally:
    """What is known of a run so far."""

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    models: set[str] = field(default_factory=set)
    faults: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    peak_kb: int = 0
    interrupted: bool = False

    @property
    def runs(self) -> int:
        """Models that were refused, and runs of the others."""
        return self.outcomes.total() - self.outcomes["load: ok"]

    def add(self, report: dict[str, Any]) -> None:
        """Count the report of a worker."""
        self.outcomes.update(report["outcomes"])
        self.models.add(report["digest"])
        self.peak_kb = max(self.peak_kb, report["peak_kb"])
        for place, text in report["faults"]:
            self.fault(place, report["number"], report["name"], text)

    def fault(self, place: str, number: int, name: str, text: str) -> None:
        """Note a fault; it counts as a run."""
        self.outcomes["fault"] += 1
        known = self.faults.setdefault(place, [])
        if not known:
            print(f"FAULT {place}; first number {number}: {name}\n{text}", flush=True)
        known.append((number, name, text))

    def progress(self, seconds: float) -> str:
        """How far it is, in one line."""
        return (
            f"{self.runs} runs, {len(self.models)} models, {self.outcomes['load: ok']} compiled, "
            f"{len(self.faults)} kinds of fault, {seconds:.0f} s, peak {self.peak_kb >> 10} MB"
        )


def summary(tally: Tally, seconds: float) -> str:
    """The counts by outcome, and one line a fault."""
    loads = sum(n for name, n in tally.outcomes.items() if name.startswith("load"))
    ran = tally.outcomes["load: ok"]
    lines = [
        f"{'interrupted after ' * tally.interrupted}{tally.runs} runs in {seconds:.0f} s "
        f"for {_target()}, {len(tally.models)} different models, "
        f"{ran} of {loads} compiled ({ran / max(1, loads):.0%}), peak {tally.peak_kb >> 10} MB",
        *(f"  {count:8} {name}" for name, count in sorted(tally.outcomes.items())),
    ]
    for place, found in sorted(tally.faults.items(), key=lambda item: -len(item[1])):
        number, name, _ = found[0]
        lines.append(f"FAULT {len(found)}x {place}; first number {number}: {name}")
    return "\n".join(lines)


def write(tally: Tally, seed: int, out: Path) -> None:
    """One file a fault: how to replay each of its cases, and the text of the first."""
    for index, (place, found) in enumerate(sorted(tally.faults.items())):
        out.mkdir(parents=True, exist_ok=True)
        how = f"--quick {worker.quick_part} --replay {seed}"
        again = f"SARDONYX_TARGET={_target()} python -m tests.fuzz {how}"
        numbers = "\n".join(f"{again}:{n}    # {name}" for n, name, _ in found[:50])
        (out / f"fault_{seed}_{index}.txt").write_text(f"{place}\n{numbers}\n\n{found[0][2]}\n")


def _target() -> str:
    """What names the target of this process with all its features."""
    target = targets.detect()
    level = next(known for known in isa.TARGETS if known.name == target.name)
    return "+".join((target.name, *(name for name in target.features if not level.has(name))))
