"""Walks through clusters of nodes, as steps that hardly wait for one another.

All walks take their first step, then those that go on their second, and so on: a queue holds which cluster is
next for each, and no branch depends on an answer. Writes code; which walks there are is the driver's matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.target import Target
from sardonyx.kernels.trees.clusters import EXITS, LEVELS, NODES, Layout
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import Function, V, int_

_COMPARISONS = ("ole", "olt", "oge", "ogt", "oeq", "une")
_HIGH = -(1 << 32)


def registers_of(features: int, target: Target) -> int:
    """How many vectors the features of a row fill that an instruction picks from; 0 if there are too many."""
    most = 4 * target.lanes
    if features > most or not (target.instruction("pick") or target.instruction("permute")):
        return 0
    count = 1
    while count * target.lanes < features:
        count *= 2
    return count


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the features of walk n begin: `at` plus n times `stride` bytes."""

    at: V
    stride: V


@dataclass(frozen=True, slots=True)
class Queue:
    """Walks as i64: the number of the walk in the upper half, of its next cluster in the lower one.

    `queue` holds those that go on, `ends`, i32, the exit that each walk took last.
    """

    queue: V
    ends: V


class Steps:
    """Writes the steps of walks into a function being written."""

    def __init__(
        self,
        f: Function,
        layout: Layout,
        questions: tuple[Sequence[int], bool],
        records: V,
        registers: int,
        target: Target,
    ) -> None:
        self.f, self.layout, self.records = f, layout, records
        self.modes, self.missing = questions
        self.registers, self.target = registers, target
        self.scalar = "float" if layout.real_bytes == 4 else "double"
        self.exits = f.module.table("sdx_exits", "i8", [int_(exit_, "i8") for exit_ in _exits()])

    def run(self, first: V, count: V, queue: Queue, rows: Rows) -> None:
        """All steps of the walks that `first` holds, a queue that is not written."""
        f = self.f
        going = [first, count]
        with f.repeat(lambda _, left: f.icmp("sgt", left, int_(0)), going) as level:
            source, walks = level.carried
            with f.loop(int_(0), walks, 1, [int_(0)]) as walk:
                (kept,) = walk.carried
                here = f.load(f.gep(source, walk.index, "i64"), "i64")
                walk.next(self._step(here, kept, queue, rows))
            level.next(queue.queue, walk.carried[0])

    def _step(self, here: V, kept: V, queue: Queue, rows: Rows) -> V:
        """One walk's next step; how many walks are in the queue after it."""
        f, layout = self.f, self.layout
        number = f.binary("lshr", here, int_(32))
        cluster = f.convert("zext", f.convert("trunc", here, "i32"), "i64")
        record = f.gep(self.records, f.mul(cluster, int_(layout.size_bytes)), "i8")
        row = f.gep(rows.at, f.mul(number, rows.stride), "i8")
        answer = f.convert("zext", self._answer(record, row), "i64")
        place = f.convert("zext", f.load(f.gep(self.exits, answer, "i8"), "i8"), "i64")
        exits, type_ = f.gep(record, int_(layout.exits_at), "i8"), f"i{8 * layout.exit_bytes}"
        exit_ = f.load(f.gep(exits, place, type_), type_)
        wide = f.convert("zext", exit_, "i64")
        following = f.add(here if layout.exit_bytes == 2 else f.binary("and", here, int_(_HIGH)), wide)
        f.store(following, f.gep(queue.queue, kept, "i64"))
        f.store(f.convert("trunc", wide, "i32"), f.gep(queue.ends, number, "i32"))
        return f.add(kept, f.convert("zext", f.icmp("ult", wide, int_(layout.leaf_bit)), "i64"))

    def _answer(self, record: V, row: V) -> V:
        """What the nodes of a cluster say, a bit each, i8; the highest one has no meaning."""
        f = self.f
        limits = f.load(record, vector_of(self.scalar, EXITS))
        values = self._picked(record, row) if self.registers else self._fetched(record, row)
        masks = f.gep(record, int_(self.layout.masks_at), "i8")
        answer = int_(0, "i8")
        for number, mode in enumerate(self.modes):
            found = f.bitcast(f.fcmp(_COMPARISONS[mode], values, limits), "i8")
            if len(self.modes) > 1:
                found = f.binary("and", found, f.load(f.gep(masks, int_(number), "i8"), "i8"))
            answer = f.binary("or", answer, found) if number else found
        if self.missing:
            wanted = f.load(f.gep(masks, int_(self.layout.masks - 1), "i8"), "i8")
            unknown = f.bitcast(f.fcmp("uno", values, values), "i8")
            answer = f.binary("or", answer, f.binary("and", wanted, unknown))
        return answer

    def _fetched(self, record: V, row: V) -> V:
        """The features that nodes ask for, one by one."""
        f, layout = self.f, self.layout
        type_ = f"i{8 * layout.feature_bytes}"
        features = f.gep(record, int_(layout.features_at), "i8")
        values = V("poison", vector_of(self.scalar, EXITS))
        for node in range(NODES):
            feature = f.load(f.gep(features, int_(node), type_), type_)
            at = f.gep(row, f.convert("zext", feature, "i64"), self.scalar)
            values = f.insert(values, f.load(at, self.scalar, size_of(self.scalar)), node)
        return values

    def _picked(self, record: V, row: V) -> V:
        """The features that nodes ask for, picked from whole vectors of them."""
        f, lanes = self.f, self.target.lanes
        type_ = f"i{8 * self.layout.feature_bytes}"
        features = f.gep(record, int_(self.layout.features_at), "i8")
        places = f.convert("zext", f.load(features, vector_of(type_, EXITS)), "i32")
        wide = f.shuffle(places, V("poison", places.type), [*range(EXITS), *[-1] * (lanes - EXITS)])
        vectors = [
            f.load(f.gep(row, int_(n * lanes), "float"), vector_of("float", lanes))
            for n in range(self.registers)
        ]
        picked = self._pick(vectors, wide)
        return f.shuffle(picked, V("poison", picked.type), list(range(EXITS)))

    def _pick(self, vectors: Sequence[V], places: V) -> V:
        f, lanes = self.f, self.target.lanes
        type_ = vectors[0].type
        if pick := self.target.instruction("pick", type_):
            pairs = zip(vectors[::2], vectors[1::2] or vectors, strict=True)
            found, reach = [f.call(pick.name, type_, low, places, high) for low, high in pairs], 2 * lanes
        else:
            permute = self.target.instruction("permute", type_)
            assert permute is not None
            found, reach = [f.call(permute.name, type_, vector, places) for vector in vectors], lanes
        while len(found) > 1:
            is_low = f.icmp("eq", f.binary("and", places, int_(reach, places.type)), int_(0, places.type))
            found = [f.select(is_low, low, high) for low, high in zip(found[::2], found[1::2], strict=True)]
            reach *= 2
        return found[0]


def _exits() -> list[int]:
    """The exit of a cluster for each of its answers."""
    exits = []
    for answer in range(1 << EXITS):
        place = 0
        for _ in range(LEVELS):
            place = 2 * place + (1 if answer >> place & 1 else 2)
        exits.append(place - NODES)
    return exits
