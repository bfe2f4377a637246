"""A compiled model that runs: bind sizes, take memory, one native call a segment.

Must not know ONNX, passes or code generation, nor how programs are kept.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sardonyx.base import functions
from sardonyx.base.abi import SIZES_FAILURE
from sardonyx.base.dataclass import replace
from sardonyx.base.knobs import SPIN_US
from sardonyx.base.report import FallbackNote, Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.errors import RunError, ShapeError
from sardonyx.runtime import team, texts
from sardonyx.runtime.bound import Binder, Bound
from sardonyx.runtime.closing import Closer, closed
from sardonyx.runtime.data import ClosingStep, HostStep, ProgramData, Segment
from sardonyx.runtime.image import LoadedImage
from sardonyx.runtime.opening import are_lookups, opening, opening_steps
from sardonyx.runtime.outputs import Outputs
from sardonyx.runtime.pointers import address_of
from sardonyx.runtime.runnable import CallTime, MakeAlternative
from sardonyx.runtime.segments import Execute, Links, Runner, SegmentRun
from sardonyx.runtime.size_check import Alternatives, SizeCheck
from sardonyx.runtime.weights import Weights

if TYPE_CHECKING:
    from sardonyx.runtime.promotion import Promotion

_DIVISION = 2


class Follower(Protocol):
    """What keeps addresses of a program's code."""

    def renew(self) -> None:
        """Forget them: there is better code."""

    def ran(self, feeds: Sequence[Any], run: SegmentRun) -> None:
        """Learn of a run of several segments."""


class Program:
    """A model ready to run; safe to use from several threads at once.

    Args:
        data: the program.
        weights: its constants.
        image: its machine code.
        report: gives its report.
        threads: the most threads of a run.
        spin_us: how long idle threads look for the next run.
        flush_denormals: take denormal floats as zeros.
        alternative: makes the programs for feeds that this one does not serve.
        promotion: how it comes to better code, if its code was compiled quickly.
    """

    def __init__(
        self,
        data: ProgramData,
        weights: Weights,
        image: LoadedImage,
        report: Callable[[], Report],
        *,
        threads: int,
        spin_us: int = SPIN_US.default,
        flush_denormals: bool = False,
        alternative: MakeAlternative | None = None,
        promotion: Promotion | None = None,
    ) -> None:
        self._manner: dict[str, Any] = {"spin_us": spin_us, "flush_denormals": flush_denormals}
        self._bodies: list[Program] = []

        def start(body: ProgramData) -> Program:
            self._bodies.append(Program(body, weights, image, Report, threads=threads, **self._manner))
            return self._bodies[-1]

        self.data, self.weights, self.image = _started(data, start), weights, image
        self._images = [image]
        self.threads = max(1, threads)
        self.team = team.shared(image)
        texts.offer(image)
        self.execute: Execute = self.team.run
        self._bases = np.zeros(len(data.storages) + 1, np.int64)
        constants = [(n, spec.number) for n, spec in enumerate(data.storages) if spec.kind == "const"]
        for number, index in constants:
            self._bases[number] = weights.addresses[index]
        self.addresses: list[int] = self._bases.tolist()
        self.binders = self._bound_to(image)
        self.links = Links(self.data, self.binders)
        self.made = Outputs()
        self._followers: list[weakref.ref[Follower]] = []
        self._give_report = report
        self._report: Report | None = None
        self._size_check = SizeCheck(data, whole=alternative is not None)
        self._alternatives = Alternatives(alternative)
        self._every = tuple(range(len(data.results)))
        self._opening = opening_steps(self.data)
        self._closer = Closer(data.closing, start) if data.closing is not None else None
        self._is_one = self._has_one_segment()
        self._table = self.binders[-1].table if self._is_one else {}
        self._promotion = promotion
        self.await_many_runs()

    def _bound_to(self, image: LoadedImage) -> list[Binder]:
        own: list[list[int]] = [[] for _ in self.data.segments]
        for number, spec in enumerate(self.data.storages):
            if spec.segment >= 0:
                own[spec.segment].append(number)
        return [
            Binder(self.data, n, mine, image, self._bases, threads=self.threads, **self._manner)
            for n, mine in enumerate(own)
        ]

    def _execute_by(self, execute: Execute) -> None:
        self.execute = execute
        for body in self._bodies:
            body._execute_by(execute)

    def exchange(self, image: LoadedImage) -> None:
        """Run by other code that does the same, from the next run on; runs that are under way go on.

        A run that begins meanwhile may be of both codes. What was bound is bound anew.
        """
        for body in self._bodies:
            body.exchange(image)
        self._images.append(image)
        self.image, self.execute = image, self.team.run
        self.binders = self._bound_to(image)
        self._table = self.binders[-1].table if self._is_one else {}
        for follower in self._following():
            follower.renew()

    def follow(self, follower: Follower) -> None:
        """Tell it of runs and of other code, as long as there is another reference to it."""
        self._followers = [weakref.ref(known) for known in (*self._following(), follower)]

    def _following(self) -> list[Follower]:
        return [known for ref in self._followers if (known := ref()) is not None]

    def await_many_runs(self) -> None:
        """Time runs until full code is worth it, where there is any to come."""
        if self._promotion is not None and self._promotion.automatic:
            from sardonyx.runtime.promotion import Heat

            self._execute_by(Heat(self.team.run, self.expect_many_runs))

    def expect_many_runs(self) -> None:
        """Take it that there will be many runs: full code is worth it."""
        if self._promotion is not None and self._promotion.automatic:
            self._execute_by(self.team.run)
            self._promotion.ask(self)

    def compile_fully(self) -> None:
        """Have the full code now, where it was compiled quickly; also of programs for other feeds so far.

        Raises CompileError if it cannot be made; the code that there is stays in use.
        """
        if self._promotion is not None:
            self._promotion.now(self)
        for alternative in self._alternatives.made():
            alternative.compile_fully()

    inputs: tuple[TensorInfo, ...] = property(lambda self: self.data.inputs)  # type: ignore[assignment]
    outputs: tuple[TensorInfo, ...] = property(lambda self: self.data.outputs)  # type: ignore[assignment]
    initializer_inputs: tuple[TensorInfo, ...] = property(lambda self: self.data.initializer_inputs)  # type: ignore[assignment]
    metadata: ModelMeta = property(lambda self: self.data.metadata)  # type: ignore[assignment]
    fallbacks: tuple[FallbackNote, ...] = property(lambda self: self.data.fallbacks)  # type: ignore[assignment]

    @property
    def report(self) -> Report:
        """What the compiler decided, and what the program takes."""
        report = self._report = self._report or self._give_report()
        report.counters |= self._sizes_in_bytes()
        if self._promotion is None or self._promotion.is_done:
            report.counters.pop("quick_kernels", None)
            report.fault = ""
        else:
            report.fault = self._promotion.fault
        return report

    def _sizes_in_bytes(self) -> dict[str, int]:
        return {
            "weight_bytes": self.weights.size_bytes,
            "code_bytes": self.image.size_bytes,
            "arena_bytes": sum(binder.arena_bytes() for binder in self.binders),
        }

    def _has_one_segment(self) -> bool:
        """Whether a run is one segment whose calls read feeds, all of them tensors, and write outputs.

        Steps of the host that open the run may stand before it.
        """
        data, last = self.data, self.data.segments[-1]
        if not all(i.type.startswith("tensor(") for i in (*data.inputs, *data.initializer_inputs)):
            return False
        made = [data.storages[storage].number for storage, _ in last.outputs]
        foreign = {data.storages[s].kind for s in self.binders[-1].foreign}
        known = {"input", "output", "host"} if self._opening else {"input", "output"}
        alone = len(data.segments) == 1 + len(self._opening) and last.host is None and not last.after
        return alone and foreign <= known and made == list(self._every)

    def run(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """The wanted outputs for one feed an input, in order; feeds are validated, contiguous arrays.

        Raises ShapeError if sizes contradict each other, RunError if a kernel meets bad data.
        """
        if not self._is_one:
            return self._run_unseen(feeds, wanted)
        try:
            bound = self._table[tuple([feed.shape for feed in feeds])]
        except KeyError:
            return self._run_unseen(feeds, wanted)
        bound.used = True
        binder = self.binders[-1]
        frame, arena = binder.take(bound)
        try:
            words, made, results = frame.words, self.made, []
            if bound.opening is not None:
                opened = bound.opening(feeds)
                for array, (_, patches) in zip(opened, bound.patches, strict=True):
                    address = address_of(array)
                    for position, offset in patches:
                        words[position] = address + offset
            for _, output, shape, dtype, patches in bound.outputs:
                result = made.empty(output, shape, dtype)
                address = address_of(result)
                for position, offset in patches:
                    words[position] = address + offset
                results.append(result)
            for _, number, patches in bound.inputs:
                address = address_of(feeds[number])
                for position, offset in patches:
                    words[position] = address + offset
            failure = self.execute(frame.launch)
        finally:
            binder.give(bound, frame, arena)
        if failure is not None:
            self.fail(len(self.binders) - 1, failure)
        if bound.closing is not None:
            return closed(bound.closing, (*feeds, *results), wanted)
        return results if wanted == self._every else [results[n] for n in wanted]

    @property
    def is_native(self) -> bool:
        """Whether runs are native calls, and what closes them, for all usual feeds."""
        return self._is_one and are_lookups(self._opening)

    def native(self, shapes: tuple[tuple[int, ...], ...]) -> Bound | None:
        """The calls of a run for feeds of these shapes, if they were bound and it is one segment."""
        return self._table.get(shapes) if self.is_native else None

    def _run_unseen(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """A run of several segments, or the first one for these sizes."""
        symbols, overrides = self._size_check.sizes(feeds)
        if overrides is not None:
            with overrides.explained(feeds, self._size_check):
                return self._alternatives.get(overrides).run(feeds, wanted)
        if self._is_one and self._bind(feeds, symbols):
            return self.run(feeds, wanted)
        return self._by_segments(Runner(self.execute), feeds, symbols, wanted)

    def _by_segments(
        self, runner: Runner, feeds: Sequence[Any], symbols: dict[str, int], wanted: Sequence[int]
    ) -> list[Any]:
        closer = self._closer
        if closer is None:
            run = SegmentRun(self, runner, feeds, symbols)
            results = run.run(wanted)
            for follower in self._following():
                follower.ran(feeds, run)
            return results
        read = closer.read(wanted)
        made = SegmentRun(self, runner, feeds, symbols).run(read)
        return closer.run(runner.host, feeds, dict(zip(read, made, strict=True)), symbols, wanted)

    def _bind(self, feeds: Sequence[Any], symbols: Mapping[str, int]) -> bool:
        """Bind these sizes for later runs; whether a run then is one segment and what opens it."""
        last, shapes = self.binders[-1], tuple([feed.shape for feed in feeds])
        arguments = tuple([symbols[name] for name in last.segment.names])
        bound, opened, closes = last.bound(arguments), None, None
        if self._opening:
            read = [self.data.storages[storage].number for storage, _ in bound.patches]
            before = [self._before(binder, symbols) for binder in self.binders[:-1]]
            opened = opening(self._opening, before, read, feeds, symbols, self.weights)
        if self._closer is not None:
            closes = self._closer.for_sizes(symbols, len(feeds))
        if (opened is None) == bool(self._opening) or (closes is None) != (self._closer is None):
            self._is_one = False
            return False
        bound.closing = closes
        if opened is not None:
            bound.opening, bound.lookups = opened
        last.keep(shapes, bound)
        return True

    def _before(self, binder: Binder, symbols: Mapping[str, int]) -> Bound:
        """A segment before the last one."""
        arguments = tuple([symbols[name] for name in binder.segment.names])
        return binder.table.get(arguments) or binder.bind(arguments, arguments)

    def profile(self, feeds: Sequence[Any]) -> tuple[list[Any], list[CallTime]]:
        """All outputs, and the times of the calls in order.

        Raises what `run` raises.
        """
        symbols, overrides = self._size_check.sizes(feeds)
        if overrides is not None:
            with overrides.explained(feeds, self._size_check):
                return self._alternatives.get(overrides).profile(feeds)
        timer = _Timer(self.team, self.data, symbols)
        every = self._closer.every if self._closer is not None else self._every
        return self._by_segments(timer, feeds, symbols, every), timer.times

    def fail(self, number: int, failure: team.Failure) -> None:
        """Raise the error that a kernel reported."""
        segment = self.data.segments[number]
        where = ", ".join(segment.origins[failure.call]) or segment.functions[failure.call]
        if failure.code == SIZES_FAILURE:
            messages = dict(segment.refusals)[failure.call]
            contradiction = "the sizes of this call contradict each other"
            raise ShapeError((contradiction, *messages)[failure.detail0 - 1] + "; check the input shapes")
        if failure.code == _DIVISION:
            raise RunError(f"{where}: integer division by zero")
        raise RunError(
            f"{where}: index {failure.detail0} is out of range for an axis of size {failure.detail1}; "
            "check the indices fed to this node",
            kind="bounds",
        )


def _started(data: ProgramData, start: Callable[[ProgramData], Program]) -> ProgramData:
    """The program with all its host steps ready to run."""
    segments = []
    for segment in data.segments:
        host = segment.host
        if host is not None and not callable(host.run):
            segment = segment._replace(host=host._replace(run=host.run.start(start)))
        segments.append(segment)
    return replace(data, segments=tuple(segments))


class _Timer(Runner):
    """Notes how long everything takes."""

    def __init__(self, crew: team.Team, data: ProgramData, symbols: Mapping[str, int]) -> None:
        super().__init__(crew.run)
        self.team, self._data, self._symbols = crew, data, symbols
        self.times: list[CallTime] = []

    def calls(self, number: int, launch: team.Launch) -> team.Failure | None:
        failure, profile = self.team.profile(launch)
        segment = self._data.segments[number]
        busy = profile.busy_ns.max(axis=0)
        wall = profile.busy_ns[0] + profile.wait_ns[0]
        costs = self._costs(segment)
        for call, name in enumerate(segment.functions):
            wait = max(0.0, float(wall[call] - busy[call]))
            self.times.append(CallTime(name, segment.origins[call], float(busy[call]), wait, *costs[call]))
        return failure

    def _costs(self, segment: Segment) -> Sequence[tuple[int, int]]:
        """Of every call; unknown if sizes contradict each other, as they may in a branch not taken."""
        names, code, slots = segment.costs
        try:
            values = functions.load(code)(*(self._symbols[name] for name in names))
        except (ValueError, ZeroDivisionError):
            return [(0, 0)] * len(slots)
        return [(values[flops], values[size]) for flops, size in slots]

    def host(self, step: HostStep | ClosingStep, args: Sequence[Any], symbols: Mapping[str, int]) -> Any:
        began = time.perf_counter_ns()
        result = super().host(step, args, symbols)
        self.times.append(CallTime("host", (step.name,), float(time.perf_counter_ns() - began), 0.0))
        return result
