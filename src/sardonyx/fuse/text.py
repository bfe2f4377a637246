"""Prints a fusion: every group with its values, and where what it stores lives."""

from __future__ import annotations

from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.place import Place
from sardonyx.ir.text import operation, signature
from sardonyx.ir.value import Value


def text(fusion: Fusion) -> str:
    """The groups in order, then the decisions that led to them.

    contract dot -> arena f32[N,64] strides [64,1]
      v3: f32[N,64] = dot(x, w)
      v4: f32[N,64] = max(v3, 0)
    """
    printer = _Printer(fusion)
    lines = [line for number, group in enumerate(fusion.groups) for line in printer.group(number, group)]
    lines += [f"decision {d.subject}: {d.verdict}: {d.reason}" for d in fusion.decisions]
    return "\n".join(lines) + "\n"


class _Printer:
    """Gives values and storages names in the order in which they come."""

    def __init__(self, fusion: Fusion) -> None:
        self.fusion = fusion
        self.names = {v.id: str(v.attrs["name"]) for v in fusion.graph.inputs}
        self.storages: dict[int, str] = {}
        self.order = fusion.graph.order()
        for value in self.order:
            small = value.data is not None and value.data.size == 1
            literal = str(value.data.reshape(-1)[0]) if small and value.data is not None else ""
            self.names.setdefault(value.id, literal or f"v{len(self.names)}")

    def group(self, number: int, group: Group) -> list[str]:
        inside = {n for part in group.parts or (group,) for n in (*part.inlined, part.root.id)}
        inside |= {part.anchor.id for part in group.parts or (group,) if part.anchor}
        reduced = f" over axes {list(group.reduced)}" if group.reduced else ""
        head = f"g{number}: {group.kind} {group.root.prim}{reduced} -> {self.place(group.place)}"
        values = [v for v in self.order if v.id in inside and v.data is None]
        return [head, *(f"  {self.value(v)}" for v in values)]

    def value(self, value: Value) -> str:
        return f"{self.names[value.id]}: {signature(value)} = {operation(value, self.names)}"

    def place(self, place: Place | None) -> str:
        if place is None:
            return "a host object"
        storage = place.storage
        count = sum(name.startswith(storage.kind) for name in self.storages.values())
        label = f"{storage.kind}{storage.index if storage.kind in ('input', 'output') else count}"
        name = self.storages.setdefault(id(storage), label)
        offset = f" at {place.offset}" if place.offset != 0 else ""
        return f"{name}{offset} strides [{','.join(map(str, place.strides))}]"
