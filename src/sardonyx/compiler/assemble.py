"""Groups -> native calls -> program data: which call needs which sizes, and where a segment ends.

A program is segments of native calls. One ends where Python must act: to run an operation, or to read a size
that is the content of a tensor. The parts are `records` (the calls of a segment), `jumps` between them,
`storages` (the memory) and `views` (what Python sees of it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sardonyx.base import dim as dims
from sardonyx.compiler.jumps import Jumps
from sardonyx.compiler.records import Records, names_of
from sardonyx.compiler.storages import Constants, Storages
from sardonyx.compiler.views import Views
from sardonyx.ir.data_size import DataSize
from sardonyx.ir.graph import symbols_of
from sardonyx.ir.group import Fusion
from sardonyx.ir.place import Storage
from sardonyx.ir.unproven import unproven
from sardonyx.ir.value import Value
from sardonyx.kernels.call import NativeCall
from sardonyx.runtime.data import HostFunction, HostStep, Segment, Startable, StorageSpec, View


class Assembler:
    """Collects calls and host steps in execution order."""

    def __init__(self, fusion: Fusion, known: Iterable[str], constants: Constants | None = None) -> None:
        self.fusion = fusion
        self.segments: list[Segment] = []
        self._known = dict.fromkeys(known)
        self._pending: dict[str, DataSize] = {}
        self._storages = Storages(fusion, constants or Constants())
        self._views = Views(fusion, self._storages)
        self._unproven = [(o, dims.symbols(o.dim)) for o in unproven(fusion.graph)]
        self._contents: dict[int, list[tuple[str, DataSize]]] = {}
        for name, size in fusion.graph.data_sizes.items():
            if size.result is None:
                source = size.value.args[0] if size.value.prim == "result" else size.value
                self._contents.setdefault(source.id, []).append((name, size))
        self.records = self._begin()

    def _begin(self) -> Records:
        """A new segment, which checks every size that has become known."""
        records = Records(len(self.segments), self._known, self._storages)
        known = self._known.keys()
        for obligation, names in self._unproven:
            if names <= known:
                records.check(obligation)
        self._unproven = [(o, names) for o, names in self._unproven if not names <= known]
        return records

    @property
    def jumps(self) -> Jumps:
        """The jumps of the current segment."""
        return Jumps(self.records)

    def call(self, call: NativeCall) -> None:
        """Add a native call, in a new segment if it needs a size that is computed before it."""
        self.need(names_of(call, self._storages))
        self.records.call(call)

    def begin(self, names: Iterable[str], storages: Iterable[Storage]) -> None:
        """Prepare for calls that a run may leave out: the sizes they need, storages that outlast them."""
        self.need(names)
        self.records.touch_all(storages)
        self.records.meet()

    def need(self, names: Iterable[str]) -> None:
        """Make sizes available: close the segment if some are still to be read from computed tensors."""
        missing = [n for n in names if n not in self._known]
        if not missing:
            return
        for name in missing:
            size = self.fusion.graph.data_sizes[name]
            if size.value.kind == "source":
                self.need(symbols_of(size.value) & self.fusion.graph.data_sizes.keys())
                self._pending[name] = size
        self._end_segment(())
        still = [n for n in missing if n not in self._known]
        assert not still, f"nothing has computed the sizes {still}"

    def computed(self, value: Value) -> None:
        """Sizes that depend on the content of `value` can be read once its call has run."""
        for name, size in self._contents.get(value.id, ()):
            if name not in self._known:
                self._pending[name] = size

    def host(self, value: Value, run: HostFunction | Startable, args: Sequence[Value]) -> None:
        """Run an operation in Python after the calls so far."""
        sizes = self.fusion.graph.data_sizes
        own = {name for name, size in sizes.items() if size.value is value}
        names = symbols_of(value).union(*(symbols_of(arg) for arg in args))
        self.need(names & sizes.keys() - own)
        step = self._views.step(value, run, args, self.records)
        self._end_segment([name for name, _, _ in step.binds], step)

    def _end_segment(self, bound: Iterable[str], host: HostStep | None = None) -> None:
        """Begin a segment that knows the sizes read after this one and those that its host step binds."""
        read = tuple(self._pending)
        self.close(host)
        self._known = {**self._known, **dict.fromkeys(bound), **dict.fromkeys(read)}
        self.records = self._begin()

    def close(self, host: HostStep | None = None) -> None:
        """End the segment, reading pending sizes after it."""
        pending, self._pending = self._pending, {}
        after = [
            (self._views.of(size.value, self.records), size.index, name) for name, size in pending.items()
        ]
        self.segments.append(self.records.segment(after, host))

    def specs(self) -> tuple[StorageSpec, ...]:
        """The storages, numbered."""
        return self._storages.specs()

    def settle(self) -> None:
        """Read the sizes that checks still wait for, so that they are made."""
        sizes = self.fusion.graph.data_sizes
        self.need(n for _, names in self._unproven for n in sorted(names) if n in sizes)

    def results(self) -> tuple[View, ...]:
        """Where each graph output is found at the end of a run; call before the last `close`."""
        return self._views.outputs(self.records)
