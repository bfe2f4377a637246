"""Where in a loop nest the writing of a kernel stands: fixed axes, running pointers, values known so far.

Values live in scopes that follow the loops. A nest may compute several points of one axis side by side
(`copies`): statements are then written once for each. Must not know instructions for primitives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import TypeAlias

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.dim import Dim
from sardonyx.base.named import NamedTuple
from sardonyx.base.target import Target
from sardonyx.emit.extents import Extents
from sardonyx.emit.words import Words
from sardonyx.llvm import convert
from sardonyx.llvm.vec import Function, V, int_
from sardonyx.loops.nest import (
    Affine,
    Axis,
    Buffer,
    Load,
    Statement,
    Store,
)

Index: TypeAlias = tuple[V, ...]
"""Where an axis is fixed, as terms: they are added up where the sum is asked for."""


@dataclass(slots=True, eq=False)
class Address:
    """What loads and stores of equal buffers and places have in common: one running pointer."""

    buffer: Buffer
    at: Affine


@dataclass(slots=True)
class Copy:
    """One of the points computed side by side: how far it is from the first, and its accumulators.

    One that alternates with others also knows what was computed for it before the loops inside, and whether
    it is there at all, if that is not sure.
    """

    displacement: int = 0
    sums: dict[str, V] = field(default_factory=dict)
    known: dict[int, V] = field(default_factory=dict)
    exists: V | None = None


class _Move(NamedTuple):
    """By how many elements of which type an address moves with an axis."""

    address: Address
    step: V
    memory: str
    is_tile: bool


class Point(NamedTuple):
    """A point of an axis: the running pointers and indices there."""

    pointers: dict[Address, V]
    indices: dict[Axis, Index]


class Scopes:
    """The state that all parts of a kernel's writing share.

    `words` and `extents` are set by who knows the whole kernel.
    """

    words: Words
    extents: Extents

    def __init__(self, function: Function, target: Target, vector: Axis | None, lanes: int) -> None:
        self.f = function
        self.target = target
        self.vector = vector
        self.lanes = lanes
        self.mask: V | None = None
        self.remaining: V | None = None
        self.values: list[dict[int, V]] = [{}]
        self.pointers: list[dict[Address, V]] = [{}]
        self.indices: list[dict[Axis, Index]] = [{}]
        self._opened: dict[tuple[int, int], Address] = {}
        self._moves: dict[Axis, list[_Move]] = {}
        self.copied: Axis | None = None
        self.copies: list[Copy] = [Copy()]
        self.current = self.copies[0]
        self.alternates: tuple[Axis | None, list[Copy]] = (None, self.copies)
        self.rows: dict[Buffer, Dim] = {}
        self.tile_strides: tuple[Axis, Axis, V] | None = None
        self.stacked: tuple[Axis, list[Point]] | None = None

    # ---- scopes

    @contextmanager
    def scope(self, values: dict[int, V] | None = None) -> Iterator[None]:
        """What is computed inside is forgotten after it, but what is kept in `values`."""
        self.values.append({} if values is None else values)
        self.pointers.append(self.pointers[-1].copy())
        self.indices.append(self.indices[-1].copy())
        yield
        self.values.pop()
        self.pointers.pop()
        self.indices.pop()

    def open_accesses(self, body: Sequence[Statement]) -> None:
        """Start the running pointer of every address at its constant part."""
        equal: dict[tuple[Buffer, Affine], Address] = {}
        for statement in body:
            for expr in statement.exprs:
                if isinstance(expr, Load):
                    self._open(expr.buffer, expr.at, equal)
            if isinstance(statement, Store):
                self._open(statement.buffer, statement.at, equal)

    def _open(self, buffer: Buffer, at: Affine, equal: dict[tuple[Buffer, Affine], Address]) -> None:
        address = equal.get((buffer, at))
        if address is None:
            address = equal[buffer, at] = Address(buffer, at)
            self.pointers[0][address] = self._base(buffer, at.const)
        self._opened[id(buffer), id(at)] = address

    def _base(self, buffer: Buffer, offset: Dim) -> V:
        if buffer.role == "tile":
            return self.f.params[0]
        if buffer.role == "scratch":
            scratch = self.f.word(self.f.params[1], Context.SCRATCH, "ptr")
            return self.f.gep(scratch, self.words.word(None, self.rows[buffer]), "i8")
        return self.words.word(buffer, offset)

    def enter(self, axis: Axis, index: V, *, keep: bool = False, tile: bool = True) -> None:
        """Fix an axis at `index` in the current scope: move every pointer that changes with it.

        `keep` adds to an index already fixed; `tile=False` leaves the tile's pointer alone.
        """
        self.indices[-1][axis] = (*self._found(axis), index) if keep else (index,)
        f, running = self.f, self.pointers[-1]
        for address, step, memory, is_tile in self._moved_by(axis):
            if tile or not is_tile:
                running[address] = f.gep(running[address], f.mul(index, step), memory)

    def _moved_by(self, axis: Axis) -> list[_Move]:
        """How the addresses move that change with an axis."""
        found = self._moves.get(axis)
        if found is None:
            found = self._moves[axis] = []
            stays = axis is self.vector and self.reuses_scratch(axis)
            for address in self.pointers[0]:
                role = address.buffer.role
                step = self._tile_step(axis) if role == "tile" else self.words.step(address.at, axis)
                if step.known != 0 and not (stays and role == "scratch"):
                    memory = convert.memory_type(address.buffer.dtype)
                    found.append(_Move(address, step, memory, role == "tile"))
        return found

    def _tile_step(self, axis: Axis) -> V:
        if self.tile_strides is None:
            return int_(0)
        row, column, pitch = self.tile_strides
        return pitch if axis is row else int_(int(axis is column))

    def reuses_scratch(self, axis: Axis) -> bool:
        """Whether a row in scratch memory serves one vector of an axis after the other."""
        raise NotImplementedError

    def pointer(self, buffer: Buffer, at: Affine) -> V:
        """The running pointer of an address."""
        return self.pointers[-1][self._opened[id(buffer), id(at)]]

    def index(self, axis: Axis) -> V:
        """The current index of an axis (of lane 0 for the vector axis)."""
        return reduce(self.f.add, self._found(axis))

    def _found(self, axis: Axis) -> Index:
        assert axis in self.indices[-1], f"{axis} was not entered"
        return self.indices[-1][axis]

    def is_entered(self, axis: Axis) -> bool:
        """Whether the axis is fixed here."""
        return axis in self.indices[-1]

    # ---- stacked points

    @contextmanager
    def stacking(self, axis: Axis, distance: V) -> Iterator[None]:
        """Compute the point of an axis entered and one at that distance from it in the halves of vectors."""
        points = []
        for at in (int_(0), distance):
            with self.scope():
                self.enter(axis, at, keep=True)
                points.append(Point(self.pointers[-1], self.indices[-1]))
        self.stacked, lanes, self.lanes = (axis, points), self.lanes, self.lanes * len(points)
        yield
        self.stacked, self.lanes = None, lanes

    def each_point(self, axes: frozenset[Axis]) -> Iterator[None]:
        """Stand at each of the points that are stacked in turn; at one if nothing there changes with them."""
        assert self.stacked is not None
        (axis, points), lanes, stacked = self.stacked, self.lanes, self.stacked
        self.stacked, self.lanes = None, lanes // len(points)
        for point in points if axis in axes else points[:1]:
            with self.scope():
                self.pointers[-1], self.indices[-1] = point
                yield
        self.stacked, self.lanes = stacked, lanes

    # ---- copies

    @contextmanager
    def copying(self, axis: Axis, displacements: Sequence[int]) -> Iterator[list[Copy]]:
        """Compute the points of an axis at these distances from the one entered, side by side."""
        before = self.copies
        assert len(before) == 1
        rest = [Copy(d) for d in displacements[1:]]
        self.copied, self.copies = axis, [before[0], *rest]
        yield self.copies
        self.copied, self.copies, self.current = None, before, before[0]

    def each_copy(self) -> Iterator[None]:
        """Stand at each of the copies in turn."""
        if self.copied is None:
            yield
            return
        for copy in self.copies:
            self.current = copy
            with self.scope():
                self.enter(self.copied, int_(copy.displacement), keep=True)
                yield
        self.current = self.copies[0]

    @contextmanager
    def alternating(self, axis: Axis, are_two: V) -> Iterator[None]:
        """Run every statement for the point of an axis entered, then for the next one if both exist."""
        before = self.alternates
        self.alternates = axis, [Copy(), Copy(exists=are_two)]
        yield
        self.alternates = before

    def each_alternate(self) -> Iterator[None]:
        """Stand at each of the points that alternate; a single one where none do."""
        axis, points = self.alternates
        if axis is None:
            yield
            return
        before = self.copies
        for number, point in enumerate(points):
            self.copies, self.current = [point], point
            with self.scope(point.known):
                self.enter(axis, int_(number), keep=True)
                yield
        self.copies, self.current = before, before[0]

    @property
    def sums(self) -> dict[str, V]:
        """Accumulators and results of reductions at the current copy."""
        return self.current.sums
