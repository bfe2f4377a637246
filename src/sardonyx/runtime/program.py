"""A compiled model as plain data, and how it runs: bind sizes, take memory, one native call a segment.

Must not know ONNX, passes or code generation. Everything but `load`ed machine code pickles.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.evaluator import Evaluator
from sardonyx.base.report import Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.errors import RunError, ShapeError
from sardonyx.runtime import team
from sardonyx.runtime.arena import plan_arena
from sardonyx.runtime.image import LoadedImage

Array = np.ndarray[Any, Any]
_SMALL_WORK = 60_000


@dataclass(frozen=True, slots=True)
class Word:
    """One argument word: base of `storage` + slot * scale + `fixed`, plus the address of `symbol` if given."""

    storage: int = -1
    slot: int = -1
    scale: int = 1
    fixed: int = 0
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One native call: its function, argument words, and whether all threads meet after it."""

    symbol: str
    words: tuple[Word, ...]
    barrier: bool
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StorageSpec:
    """One block of memory; `slot` is its element count in the segment that first uses it.

    `kind`: input, output, host (numbered by `index`), const (index into the weights), arena (live from phase
    `first` to `last` of `segment`, `last` = -1: to the end of the run).
    """

    kind: str
    dtype: str
    index: int = 0
    segment: int = 0
    slot: int = 0
    first: int = 0
    last: int = -1


@dataclass(frozen=True, slots=True)
class View:
    """A tensor for the host: a storage with shape, strides and offset given by slots, or a host object."""

    storage: int
    dtype: str
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    offset: int = 0
    host: int = -1


@dataclass(frozen=True, slots=True)
class HostStep:
    """One operation that runs in Python: `run(arrays, bindings) -> results`; `into` are its host numbers."""

    run: Any
    args: tuple[View, ...]
    into: tuple[int, ...]
    many: bool
    binds: tuple[tuple[str, int, int | None], ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """Native calls between host steps.

    `source` evaluates all sizes from the symbols in `names`; `checks` are (slot, whether it must be
    zero rather than not negative, the message if it is not).
    """

    calls: tuple[Call, ...]
    phases: tuple[int, ...]
    names: tuple[str, ...]
    source: str
    outputs: tuple[tuple[int, tuple[int, ...]], ...]
    checks: tuple[tuple[int, bool, str], ...]
    work: int
    scratch: int
    after: tuple[tuple[View, int, str], ...] = ()
    host: HostStep | None = None


@dataclass(slots=True)
class ProgramData:
    """Everything about a program that a cache keeps."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    initializer_inputs: tuple[TensorInfo, ...]
    metadata: ModelMeta
    report: Report
    symbols: tuple[tuple[str, int, int], ...]
    input_shapes: tuple[tuple[Dim, ...] | None, ...]
    storages: tuple[StorageSpec, ...]
    segments: tuple[Segment, ...]
    results: tuple[View, ...]
    node_names: tuple[tuple[str, ...], ...] = ()


@dataclass(slots=True)
class _Bound:
    """One segment for one set of sizes: values of all slots and the frames that can run it."""

    segment: Segment
    values: Array
    frames: list[_Frame] = field(default_factory=list)


class _Frame:
    """Memory of one segment in one run: argument words, records, arena."""

    __slots__ = ("arena", "bases", "launch", "patches", "records", "words")

    def __init__(self, program: Program, number: int, bound: _Bound) -> None:
        layout, values = program.layouts[number], bound.values
        sizes = [int(values[slot]) * item for slot, item in layout.arena_sizes]
        offsets, total = plan_arena(sizes, layout.arena_lives)
        self.arena = team.aligned_bytes(total + 128)
        start = int(self.arena.ctypes.data)
        self.bases = program.const_bases.copy()
        for storage, offset in zip(layout.arena_storages, offsets, strict=True):
            self.bases[storage] = start + offset
        self.words = team.aligned_words(max(1, layout.count))
        slots = np.append(values, 0)[layout.slot]
        self.words[: layout.count] = self.bases[layout.storage] + slots * layout.scale + layout.fixed
        self.patches = {
            storage: [(int(p), int(slots[p] * layout.scale[p])) for p in places]
            for storage, places in layout.patched.items()
        }
        self.records = np.zeros((len(layout.functions), 3), np.int64)
        self.records[:, 0] = layout.functions
        self.records[:, 1] = self.words.ctypes.data + 8 * layout.starts
        self.records[:, 2] = layout.flags
        work = int(values[bound.segment.work]) if bound.segment.work >= 0 else 0
        threads = 1 if work < _SMALL_WORK else program.threads
        self.launch = team.Launch(
            program.image,
            self.records,
            threads=threads,
            scratch_bytes=int(values[bound.segment.scratch]) + 64 if bound.segment.scratch >= 0 else 64,
            hold_gil=threads == 1 and work < _SMALL_WORK,
        )


class _Layout:
    """The argument words of a segment as arrays, ready to be filled in for any sizes."""

    def __init__(self, program: Program, number: int) -> None:
        data, segment = program.data, program.data.segments[number]
        words = [w for call in segment.calls for w in call.words]
        self.count = len(words)
        self.storage = np.array([w.storage for w in words], np.int64)
        self.slot = np.array([w.slot for w in words], np.int64)
        self.scale = np.array([w.scale for w in words], np.int64)
        self.fixed = np.array(
            [w.fixed + (program.image.address(w.symbol) if w.symbol else 0) for w in words], np.int64
        )
        counts = [len(call.words) for call in segment.calls]
        self.starts = (
            np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
            if counts
            else np.zeros(0, np.int64)
        )
        self.functions = np.array([program.image.address(call.symbol) for call in segment.calls], np.int64)
        self.flags = np.array([int(call.barrier) for call in segment.calls], np.int64)
        own = [s for s, spec in enumerate(data.storages) if spec.kind == "arena" and spec.segment == number]
        self.arena_storages = own
        specs = [data.storages[s] for s in own]
        self.arena_sizes = [(spec.slot, dt.by_name(spec.dtype).size_bytes) for spec in specs]
        self.arena_lives = [(spec.first, spec.last) for spec in specs]
        fixed = {s for s, spec in enumerate(data.storages) if spec.kind == "const"} | set(own) | {-1}
        self.patched: dict[int, list[int]] = {}
        for position, word in enumerate(words):
            if word.storage not in fixed:
                self.patched.setdefault(word.storage, []).append(position)


class Program:
    """A model ready to run; safe to use from several threads at once."""

    def __init__(self, data: ProgramData, weights: Sequence[Array], image: LoadedImage, threads: int) -> None:
        self.data = data
        self.weights = list(weights)
        self.image = image
        self.threads = max(1, threads)
        self.team = team.shared(image)
        self.const_bases = np.zeros(len(data.storages) + 1, np.int64)
        for number, spec in enumerate(data.storages):
            if spec.kind == "const":
                self.const_bases[number] = self.weights[spec.index].__array_interface__["data"][0]
        self.layouts = [_Layout(self, n) for n in range(len(data.segments))]
        self._evaluators = [Evaluator.load(s.source) for s in data.segments]
        self._bound: dict[Any, _Bound] = {}
        self._lock = threading.Lock()
        self._simple = len(data.segments) == 1 and data.segments[0].host is None

    inputs = property(lambda self: self.data.inputs)
    outputs = property(lambda self: self.data.outputs)
    initializer_inputs = property(lambda self: self.data.initializer_inputs)
    metadata = property(lambda self: self.data.metadata)
    report = property(lambda self: self.data.report)

    def run(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """The wanted outputs for one feed an input, in order; feeds are validated, contiguous arrays.

        Raises ShapeError if sizes contradict each other, RunError if a kernel meets bad data.
        """
        key = tuple([getattr(a, "shape", None) for a in feeds])
        bound = self._bound.get(key)
        if bound is not None and self._simple:
            return self._run_simple(bound, feeds, wanted)
        run = _Run(self, feeds)
        symbols = self._bind_inputs(feeds)
        for number in range(len(self.data.segments)):
            run.segment(number, symbols, key if self._simple else None)
        return [run.result(self.data.results[n]) for n in wanted]

    def _run_simple(self, bound: _Bound, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """One segment, sizes seen before: patch pointers, call."""
        frames = bound.frames
        try:
            frame = frames.pop()
        except IndexError:
            frame = _Frame(self, 0, bound)
        outputs = self._allocate(bound)
        self._patch(frame, feeds, outputs)
        failure = self.team.run(frame.launch)
        if failure is not None:
            self.fail(0, failure)
        frames.append(frame)
        if len(wanted) == len(outputs):
            return [outputs[n] for n in wanted]
        return [outputs[n] for n in wanted]

    def _allocate(self, bound: _Bound) -> dict[int, Array]:
        values = bound.values
        storages = self.data.storages
        made = {}
        for storage, slots in bound.segment.outputs:
            spec = storages[storage]
            made[spec.index] = np.empty([values[s] for s in slots], dt.by_name(spec.dtype).numpy)
        return made

    def _patch(self, frame: _Frame, feeds: Sequence[Any], outputs: dict[int, Array]) -> None:
        storages, words = self.data.storages, frame.words
        for storage, places in frame.patches.items():
            spec = storages[storage]
            array = feeds[spec.index] if spec.kind == "input" else outputs[spec.index]
            base = array.__array_interface__["data"][0]
            for position, offset in places:
                words[position] = base + offset

    def _bind_inputs(self, feeds: Sequence[Any]) -> dict[str, int]:
        symbols = {name: feeds[number].shape[axis] for name, number, axis in self.data.symbols}
        for info, shape, feed in zip(self.inputs, self.data.input_shapes, feeds, strict=False):
            if shape is None or feed is None or not hasattr(feed, "shape"):
                continue
            for axis, size in enumerate(shape):
                expected = dims.evaluate(size, symbols)
                if expected != feed.shape[axis]:
                    raise ShapeError(
                        f"input {info.name!r}: axis {axis} has size {feed.shape[axis]}, but {size} is {expected} "
                        "elsewhere in this call; give both the same size"
                    )
        return symbols

    def bind(self, number: int, symbols: dict[str, int], key: Any) -> _Bound:
        """The segment with its sizes evaluated, from the table if they were seen before."""
        segment = self.data.segments[number]
        arguments = tuple(symbols[name] for name in segment.names)
        key = key if key is not None else (number, arguments)
        bound = self._bound.get(key)
        if bound is None:
            try:
                values = np.array(self._evaluators[number](*arguments), np.int64)
            except (ValueError, ZeroDivisionError) as error:
                raise ShapeError(f"the sizes of this call contradict each other: {error}") from None
            for slot, exact, message in segment.checks:
                if values[slot] < 0 or (exact and values[slot]):
                    raise ShapeError(
                        f"{message}; check the input shapes {dict(zip(segment.names, arguments, strict=True))}"
                    )
            with self._lock:
                if len(self._bound) >= 256:
                    self._bound.clear()
                bound = self._bound.setdefault(key, _Bound(segment, values))
        return bound

    def fail(self, number: int, failure: team.Failure) -> None:
        """Raise the error that a kernel reported."""
        call = self.data.segments[number].calls[failure.call]
        where = ", ".join(call.origins) or call.symbol
        if failure.code == 2:
            raise RunError(f"{where}: integer division by zero")
        raise RunError(
            f"{where}: index {failure.detail0} is out of range for an axis of size {failure.detail1}; "
            "check the indices fed to this node",
            kind="bounds",
        )


class _Run:
    """One run with host steps or sizes that depend on data."""

    def __init__(self, program: Program, feeds: Sequence[Any]) -> None:
        self.program = program
        self.feeds = feeds
        self.outputs: dict[int, Array] = {}
        self.host: dict[int, Any] = {}
        self.bases = program.const_bases.copy()
        self.arenas: dict[int, _Frame] = {}
        self.values: Array = np.zeros(0, np.int64)

    def segment(self, number: int, symbols: dict[str, int], key: Any) -> None:
        """Run one segment and the host step after it."""
        program = self.program
        segment = program.data.segments[number]
        bound = program.bind(number, symbols, key)
        self.values = bound.values
        frame = self._frame(number, bound)
        self.outputs.update(program._allocate(bound))
        for storage, places in frame.patches.items():
            base = self._base(storage)
            for position, offset in places:
                frame.words[position] = base + offset
        if segment.calls:
            failure = program.team.run(frame.launch)
            if failure is not None:
                program.fail(number, failure)
        for view, index, name in segment.after:
            symbols[name] = int(self.result(view).reshape(-1)[index])
        if segment.host is not None:
            self._host_step(segment.host, symbols)

    def _frame(self, number: int, bound: _Bound) -> _Frame:
        frame = (
            bound.frames.pop()
            if self.program._simple and bound.frames
            else _Frame(self.program, number, bound)
        )
        self.arenas[number] = frame
        return frame

    def _base(self, storage: int) -> int:
        spec = self.program.data.storages[storage]
        if spec.kind == "arena":
            return int(self.arenas[spec.segment].bases[storage])
        return int(self._array(spec).__array_interface__["data"][0])

    def _array(self, spec: StorageSpec) -> Array:
        match spec.kind:
            case "input":
                return self.feeds[spec.index]  # type: ignore[no-any-return]
            case "output":
                return self.outputs[spec.index]
            case "host":
                return self.host[spec.index]  # type: ignore[no-any-return]
        return self.program.weights[spec.index]

    def result(self, view: View) -> Any:
        """A tensor or host object; tensors are views of the memory they live in."""
        if view.host >= 0:
            return self.host[view.host]
        spec = self.program.data.storages[view.storage]
        if spec.kind == "output" and not view.shape and not view.strides:
            return self.outputs[spec.index]
        dtype = dt.by_name(view.dtype)
        shape = tuple(int(self.values[s]) for s in view.shape)
        strides = tuple(int(self.values[s]) * dtype.size_bytes for s in view.strides)
        offset = int(self.values[view.offset]) * dtype.size_bytes if view.shape else 0
        if spec.kind == "arena":
            frame = self.arenas[spec.segment]
            offset += int(frame.bases[view.storage]) - int(frame.arena.ctypes.data)
            return np.ndarray(shape, dtype.numpy, frame.arena, offset, strides)
        array = self._array(spec)
        if not isinstance(array, np.ndarray) or array.dtype == object:
            return array
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return (
            np.ndarray(shape, dtype.numpy, flat, offset, strides)
            if flat.size
            else np.empty(shape, dtype.numpy)
        )

    def _host_step(self, step: HostStep, symbols: dict[str, int]) -> None:
        args = [self.result(view) for view in step.args]
        results = step.run(args, symbols)
        for number, result in zip(step.into, results if step.many else [results], strict=False):
            self.host[number] = result
        for name, index, result_number in step.binds:
            if result_number is None:
                symbols[name] = int(np.asarray(results).reshape(-1)[index])
            else:
                symbols[name] = int(np.shape(results[result_number])[index])
