"""Session profiles: a file of Chrome trace events, one per load, run and kernel.

Decides the file's name and form; must not know what is timed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sardonyx.base.abi import BOOKKEEPING

if TYPE_CHECKING:
    from sardonyx.runtime.runnable import CallTime, ModelProgram


class Profile:
    """The events of one session since its creation."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []
        self.start_ns = time.monotonic_ns()
        self.ended = False

    def of(self, program: ModelProgram) -> Profiled:
        """A program that does what another does, whose runs leave events here."""
        return Profiled(program, self)

    def add(self, name: str, start_ns: int, **args: str) -> None:
        """Record an event of category Session that began at `start_ns` (time.monotonic_ns) and ends now."""
        event = self._event("Session", name, start_ns, time.monotonic_ns(), args)
        with self._lock:
            self._events.append(event)

    def add_calls(self, times: Sequence[CallTime], start_ns: float, operators: Mapping[str, str]) -> None:
        """Record the kernels of a run that began at `start_ns`, one after the other, by their nodes.

        Kernels of a branch that was not taken have no event. `operators` has the operator of each node.
        """
        events = []
        for call in times:
            end_ns = start_ns + call.busy_ns
            if call.busy_ns and call.name not in BOOKKEEPING:
                name = f"{'+'.join(call.origins) or call.name}_kernel_time"
                args = {
                    "op_name": "+".join(operators.get(origin, "") for origin in call.origins),
                    "provider": "CPUExecutionProvider",
                    "kernel": call.name,
                    "wait_us": f"{call.wait_ns / 1000:.1f}",
                }
                events.append(self._event("Node", name, start_ns, end_ns, args))
            start_ns = end_ns + call.wait_ns
        with self._lock:
            self._events += events

    def _event(
        self, category: str, name: str, start_ns: float, end_ns: float, args: Mapping[str, str]
    ) -> dict[str, Any]:
        return {
            "cat": category,
            "pid": os.getpid(),
            "tid": threading.get_native_id(),
            "dur": round((end_ns - start_ns) / 1000, 3),
            "ts": round((start_ns - self.start_ns) / 1000, 3),
            "ph": "X",
            "name": name,
            "args": dict(args),
        }

    def end(self) -> str:
        """Write the file and give its name."""
        import json

        self.ended = True
        now = time.time()
        stamp = time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(now))
        name = f"{self._prefix}_{stamp}_{int(now * 1000) % 1000}.json"
        with self._lock:
            Path(name).write_text(json.dumps(self._events), encoding="utf-8")
            self._events.clear()
        return name


class Profiled:
    """A program whose runs leave events in a profile until that ends."""

    def __init__(self, program: ModelProgram, profile: Profile) -> None:
        self._program, self._profile = program, profile
        self.inputs, self.outputs = program.inputs, program.outputs
        self.initializer_inputs = program.initializer_inputs

    def run(self, feeds: Sequence[Any], wanted: tuple[int, ...]) -> list[Any]:
        """See `Program.run`."""
        if self._profile.ended:
            return self._program.run(feeds, wanted)
        began = time.monotonic_ns()
        results, times = self._program.profile(feeds)
        self._profile.add_calls(times, began, self._program.report.operators)
        return [results[number] for number in wanted]
