"""Runs a fusion with numpy, group by group, on memory laid out as planned, which tests what is stored where.

Exact and slow; must not know loops or native code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.errors import CompileError
from sardonyx.fuse.storage import part_places
from sardonyx.ir.graph import symbols_of
from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.run import evaluate, materialise
from sardonyx.ir.value import Value

Array = np.ndarray[Any, Any]


def run(fusion: Fusion, feeds: Sequence[Any]) -> list[Any]:
    """The outputs for the inputs, in graph order."""
    memory = Memory(fusion, feeds)
    for group in fusion.groups:
        run_group(group, memory)
        memory.note(group.root)
    return memory.outputs()


def run_group(group: Group, memory: Memory) -> None:
    """Compute the values of one group and store its root."""
    for part in group.parts:
        run_group(part, memory)
    if group.kind != "concat" and not group.parts:
        _Group(group, memory).run()


class Memory:
    """The storages of one run, host results, and the sizes known so far; `place` puts a storage somewhere."""

    def __init__(
        self, fusion: Fusion, feeds: Sequence[Any], place: Callable[[Array], Array] = np.asarray
    ) -> None:
        self.fusion, self.feeds, self._place = fusion, feeds, place
        self.sizes = {n: int(feeds[i].shape[axis]) for n, (i, axis) in fusion.graph.symbols().items()}
        self.host: dict[int, Any] = {v.id: feeds[n] for n, v in enumerate(fusion.graph.inputs)}
        self._arrays: dict[int, Array] = {}
        self._items: dict[int, list[Value]] = {}
        for value in fusion.graph.order():
            if value.prim == "result":
                self._items.setdefault(value.args[0].id, []).append(value)
        for value in fusion.graph.inputs:
            self.note(value)
        self._note_constants()

    def storage(self, storage: Storage) -> Array:
        """The elements of a storage, flat; what was not written yet is garbage."""
        found = self._arrays.get(id(storage))
        if found is None:
            if storage.kind == "input":
                found = np.ascontiguousarray(self.feeds[storage.index]).reshape(-1)
            elif storage.value is not None:
                found = np.ascontiguousarray(materialise(storage.value, self.sizes)).reshape(-1)
            else:
                found = np.full(dims.evaluate(storage.size, self.sizes), 77, storage.dtype.numpy)
            self._arrays[id(storage)] = found = self._place(found)
        return found

    def at(self, place: Place, shape: Sequence[Dim]) -> Array:
        """A stored tensor, to be read or written."""
        flat = self.storage(place.storage)
        extents = tuple(dims.evaluate(n, self.sizes) for n in shape)
        strides = tuple(dims.evaluate(n, self.sizes) * flat.itemsize for n in place.strides)
        if 0 in extents:
            return np.empty(extents, flat.dtype)
        offset = dims.evaluate(place.offset, self.sizes) * flat.itemsize
        return np.ndarray(extents, flat.dtype, flat.view(np.uint8), offset, strides)

    def value(self, value: Value) -> Any:
        """A value that is known or stored, or a result of the host."""
        if value.data is not None:
            return materialise(value, self.sizes)
        if value.id in self.host:
            return self.host[value.id]
        if value.id in self.fusion.places:
            return self.at(self.fusion.places[value.id], value.shape)
        if value.prim == "result":
            return self.host[value.args[0].id][value.attrs["index"]]
        raise CompileError(f"{value!r} is stored nowhere")

    def hold(self, value: Value, result: Any) -> None:
        """Keep a result of the host, or all results of a value that has several."""
        self.host[value.id] = result
        items = [(item, result[item.attrs["index"]]) for item in self._items.get(value.id, ())]
        for user, part in items or [(value, result)]:
            place = self.fusion.places.get(user.id)
            if place is not None and place.storage.kind == "host":
                self._arrays[id(place.storage)] = np.ascontiguousarray(part).reshape(-1)

    def outputs(self) -> list[Any]:
        """The outputs of the graph, which must have been computed, in order."""
        pairs = zip(self.fusion.outputs, self.fusion.graph.outputs, strict=True)
        return [
            self.value(value) if place is None else self.at(place, value.shape).copy()
            for place, (_, value) in pairs
        ]

    def note(self, value: Value) -> None:
        """Read the sizes that depend on a value which has just been computed, or on one of its results."""
        sources = [value, *self._items.get(value.id, ())]
        for name, size in self.fusion.graph.data_sizes.items():
            if all(size.value is not source for source in sources):
                continue
            if size.result is None:
                self.sizes[name] = int(np.asarray(self.value(size.value)).reshape(-1)[size.index])
            else:
                self.sizes[name] = int(np.shape(self.host[value.id][size.result])[size.index])
            self._note_constants()

    def _note_constants(self) -> None:
        """Read the sizes that are elements of constants all of whose own sizes are known."""
        for name, size in self.fusion.graph.data_sizes.items():
            value = size.value
            if name not in self.sizes and value.data is not None and symbols_of(value) <= self.sizes.keys():
                self.sizes[name] = int(materialise(value, self.sizes).reshape(-1)[size.index])
                self._note_constants()


class _Group:
    """One group being computed."""

    def __init__(self, group: Group, memory: Memory) -> None:
        self.group, self.memory = group, memory
        self.known: dict[int, Any] = {}

    def run(self) -> None:
        """Compute the root and store it."""
        group, memory, root = self.group, self.memory, self.group.root
        copies = group.place is not None and memory.fusion.places.get(root.id) is not group.place
        if group.kind in ("loops", "padding") and copies:
            result = self.value(root)
        elif group.kind == "padding":
            assert group.place is not None
            inside = next(part_places(root, group.place))[1]
            source = memory.at(inside, root.args[0].shape).copy()
            result = evaluate(root, [source, self.value(root.args[1])], memory.sizes)
        else:
            result = evaluate(root, [self.value(a) for a in root.args], memory.sizes)
        if root.results:
            self._keep_results(result)
        elif group.place is None or group.place.storage.kind == "host":
            memory.hold(root, result)
        else:
            memory.at(group.place, root.shape)[...] = result

    def _keep_results(self, results: Sequence[Any]) -> None:
        self.memory.hold(self.group.root, results)
        for place, result in zip(self.group.results, results, strict=False):
            if place is not None:
                self.memory.note(self.group.root)
                self.memory.at(place, np.shape(result))[...] = result

    def value(self, value: Value) -> Any:
        """A value inside the group or one that it reads."""
        if value.id not in self.known:
            self.known[value.id] = self._value(value)
        return self.known[value.id]

    def _value(self, value: Value) -> Any:
        inside = value is self.group.anchor or (value.id in self.group.inlined and value.kind != "view")
        stored = (
            value.id in self.memory.fusion.places or value.id in self.memory.host or value.prim == "result"
        )
        if value.data is not None or (stored and not inside):
            return self.memory.value(value)
        return evaluate(value, [self.value(a) for a in value.args], self.memory.sizes)
