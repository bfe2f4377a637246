"""How Python finds the tensors of a program: as places in its storages, or as results of host steps.

Knows what host steps take and give; must not know when they run.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.compiler.records import Records
from sardonyx.compiler.storages import Storages
from sardonyx.ir.group import Fusion
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value
from sardonyx.runtime.data import HostFunction, HostStep, Startable, View

_MOST_RESULTS = 64


class Views:
    """The tensors of a program, and the numbers of what host steps give."""

    def __init__(self, fusion: Fusion, storages: Storages) -> None:
        self._fusion, self._storages = fusion, storages
        self._numbers: dict[int, int] = {}
        self._results = fusion.graph.results

    def step(
        self, value: Value, run: HostFunction | Startable, args: Sequence[Value], records: Records
    ) -> HostStep:
        """An operation in Python after the calls so far."""
        views = tuple(self.of(arg, records) for arg in args)
        results = self._results.get(value.id, ())
        many = bool(results)
        count = max([len(value.results), *(v.attrs["index"] + 1 for v in results)]) if many else 1
        numbers = tuple(self._number(value, n) for n in range(count))
        for user in self._results.get(value.id, (value,)):
            place = self._fusion.places.get(user.id)
            if place is not None and place.storage.kind == "host":
                self._storages.of_host[id(place.storage)] = numbers[user.attrs["index"] if many else 0]
        binds = tuple(
            (name, size.index, size.result)
            for name, size in self._fusion.graph.data_sizes.items()
            if size.value is value
        )
        return HostStep(run, views, numbers, many, binds, ", ".join(value.origins) or value.prim)

    def _number(self, value: Value, result: int) -> int:
        return self._numbers.setdefault(value.id * _MOST_RESULTS + result, len(self._numbers))

    def of(self, value: Value, records: Records) -> View:
        """How the host finds a value."""
        source = value.args[0] if value.prim == "result" else value
        result = value.attrs["index"] if value.prim == "result" else 0
        key = source.id * _MOST_RESULTS + result
        if key in self._numbers and value.id not in self._fusion.places:
            return View(-1, value.dtype.name, host=self._numbers[key])
        return self._of_place(self._fusion.places[value.id], value.dtype.name, value.shape, records)

    def _of_place(self, place: Place, dtype: str, shape: Sequence[Dim], records: Records) -> View:
        """A place as slots of the current segment; whoever reads it comes after the last phase."""
        add = records.evaluator.add
        number = self._storages.number(place.storage)
        records.touch(number)
        use = self._storages[number]
        if use.segment == records.number:
            use.last = -1
        return View(number, dtype, tuple(map(add, shape)), tuple(map(add, place.strides)), add(place.offset))

    def outputs(self, records: Records) -> tuple[View, ...]:
        """Where each graph output is found at the end of a run, in terms of the last segment."""
        views = []
        for place, (_, value) in zip(self._fusion.outputs, self._fusion.graph.outputs, strict=True):
            if place is None or value.dtype is dt.OBJECT:
                views.append(self.of(value, records))
            else:
                number = self._storages.number(place.storage)
                if self._storages[number].segment < 0:
                    records.touch(number)
                views.append(View(number, value.dtype.name))
        return tuple(views)
