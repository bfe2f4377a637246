"""Ensembles of decision trees: a vector of walks at a time, over the trees of a row or the rows of a tree.

Decides the layout of nodes and what runs side by side; must not know ONNX.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.kernels.access import Access, gather
from sardonyx.kernels.microkernel import vector_lanes
from sardonyx.kernels.tiling import ceil_div, split
from sardonyx.llvm.convert import memory_type
from sardonyx.llvm.lanes import Lanes, any_lane
from sardonyx.llvm.layout import Context
from sardonyx.llvm.vec import Function, Module, V, float_, int_, vector_of

MODE_SHIFT, MISSING_SHIFT, LEAF = 24, 27, 6
"""Facts of a node: its feature, from bit MODE_SHIFT on its comparison or LEAF, whether NaN means yes."""

_COMPARISONS = ("ole", "olt", "oge", "ogt", "oeq", "une")
_BOUNDS = 1


class Word(IntEnum):
    """Argument words.

    X [ROWS, FEATURES]. Edge 2 n leads to the node after a yes of node n, 2 n + 1 to that after a no; a leaf's
    edges lead to itself. Edge FIRST + t leads to the root of tree t; further ones, up to a whole vector, to a
    leaf without weight. NEXT is i32, twice the node that an edge leads to; FACTS (i32) and THRESHOLD are those
    of that node. START and COUNT, i32, are the entries of a node that is a leaf; TARGET (i32) and WEIGHT those
    of an entry. With `regular` every leaf has as many entries as the first, of the same targets.
    Results: TOTAL and TOUCHED (or 0) [ROWS, TARGETS].
    """

    X = 0
    ROWS = auto()
    FEATURES = auto()
    MOST_FEATURES = auto()
    NODES = auto()
    FIRST = auto()
    TREES = auto()
    TARGETS = auto()
    FACTS = auto()
    THRESHOLD = auto()
    NEXT = auto()
    START = auto()
    COUNT = auto()
    TARGET = auto()
    WEIGHT = auto()
    TOTAL = auto()
    TOUCHED = auto()
    WORDS = auto()


_SIZES = (*(Word.ROWS, Word.FEATURES, Word.MOST_FEATURES, Word.NODES, Word.FIRST, Word.TREES, Word.TARGETS),)
_TABLES = (Word.NEXT, Word.FACTS, Word.THRESHOLD)


@dataclass(frozen=True, slots=True)
class Forest:
    """What a kernel is generated for: element types, the comparisons that occur, and how weights combine."""

    dtype: DType
    weights: DType
    modes: tuple[int, ...]
    missing: bool
    combine: str
    regular: bool

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        modes = "".join(map(str, self.modes)) + ("m" if self.missing else "") + ("r" if self.regular else "")
        return f"sdx_trees_{self.dtype.name}_{self.weights.name}_{self.combine}_{modes}"

    def lanes(self, target: Target) -> int:
        """How many walks run side by side."""
        return vector_lanes(target, memory_type(self.dtype))


def forest_ir(forest: Forest, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    walk = _Walk(module, forest, target).write()
    _Driver(module, forest, target, walk).write()
    return module.text()


class _Walk:
    """Writes `<leaves> @walk(args, x, offsets of rows in x, edges to begin with)`."""

    def __init__(self, module: Module, forest: Forest, target: Target) -> None:
        self.forest, self.lanes = forest, forest.lanes(target)
        self.numbers = vector_of("i32", self.lanes)
        params = [("args", "ptr"), ("x", "ptr"), ("rows", self.numbers), ("edges", self.numbers)]
        self.name = f"{forest.symbol}_walk"
        self.f = Function(
            module, self.name, params, self.numbers, internal=True, attributes="nounwind noinline"
        )

    def write(self) -> str:
        """Add the function to its module; returns its name."""
        f = self.f
        args, x, rows, edges = f.params
        limit = f.word(args, Word.NODES)
        tables = [(f.word(args, w, "ptr"), t) for w, t in zip(_TABLES, self._types(), strict=True)]

        def follow(edges: V) -> list[V]:
            return [gather(f, table, edges, scalar) for table, scalar in tables]

        def running(_: V, told: V, limit_of_node: V, turn: V) -> V:
            del limit_of_node
            inner = f.icmp("ne", self._mode(told), int_(LEAF, self.numbers))
            return f.binary("and", any_lane(f, inner), f.icmp("slt", turn, limit))

        with f.repeat(running, [*follow(edges), int_(0)]) as loop:
            node, told, threshold, turn = loop.carried
            feature = f.binary("and", told, int_((1 << MODE_SHIFT) - 1, self.numbers))
            value = gather(f, x, f.add(rows, feature), memory_type(self.forest.dtype))
            yes = self._answer(value, threshold, told)
            no = f.convert("zext", f.binary("xor", yes, int_(1, yes.type)), "i32")
            loop.next(*follow(f.add(node, no)), f.add(turn, int_(1)))
        f.ret(f.binary("lshr", loop.carried[0], int_(1, self.numbers)))
        f.finish()
        return self.name

    def _types(self) -> tuple[str, str, str]:
        return "i32", "i32", memory_type(self.forest.dtype)

    def _mode(self, told: V) -> V:
        shifted = self.f.binary("lshr", told, int_(MODE_SHIFT, self.numbers))
        return self.f.binary("and", shifted, int_(7, self.numbers))

    def _answer(self, value: V, limit: V, told: V) -> V:
        """Whether each node says yes."""
        f, modes = self.f, self.forest.modes
        answer = int_(0, vector_of("i1", self.lanes))
        for mode in modes:
            found = f.fcmp(_COMPARISONS[mode], value, limit)
            if len(modes) > 1:
                asked = f.icmp("eq", self._mode(told), int_(mode, self.numbers))
                found = f.binary("or", answer, f.binary("and", asked, found))
            answer = found
        if self.forest.missing:
            marked = f.binary("and", told, int_(1 << MISSING_SHIFT, self.numbers))
            wanted = f.icmp("ne", marked, int_(0, self.numbers))
            answer = f.binary("or", answer, f.binary("and", wanted, f.fcmp("uno", value, value)))
        return answer


class _Driver:
    """Writes the kernel: blocks of rows for each thread, totals in scratch."""

    def __init__(self, module: Module, forest: Forest, target: Target, walk: str) -> None:
        self.f = Function(module, forest.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.forest, self.walk = forest, walk
        self.lanes = forest.lanes(target)
        self.numbers = vector_of("i32", self.lanes)
        self.sums = vector_of("double", self.lanes)
        self.args, self.ctx = self.f.params
        self.word = {
            w: self.f.word(self.args, w, "i64" if w in _SIZES else "ptr") for w in Word if w is not Word.WORDS
        }
        self.weight = Access(self.f, forest.weights, target)
        self.scratch = self.f.word(self.ctx, Context.SCRATCH, "ptr")
        self.leaves = self.f.alloca("i32", self.lanes)

    def write(self) -> None:
        """Add the function to its module."""
        f, word = self.f, self.word
        asked, features = word[Word.MOST_FEATURES], word[Word.FEATURES]
        bad = f.icmp("sgt", asked, features)
        with f.when(bad):
            f.call("sdx_fail", "void", self.ctx, int_(_BOUNDS), f.sub(asked, int_(1)), features)
        rows = f.select(bad, int_(0), word[Word.ROWS])
        self.by_rows = f.icmp("sge", rows, int_(self.lanes))
        unit = f.select(self.by_rows, int_(self.lanes), int_(1))
        self._lay_out(f.mul(unit, word[Word.TARGETS]))
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        with f.loop(*split(f, ceil_div(f, rows, unit), tid, threads)) as block:
            row = f.mul(block.index, unit)
            self.row, self.count = row, f.smin(f.sub(rows, row), unit)
            self._clear()
            self._walk_all()
            if self.forest.regular:
                self._spread()
            self._finish()
        f.ret()
        f.finish()

    def _lay_out(self, cells: V) -> None:
        """Sums for each entry of a leaf and lane, then the totals of a block of rows and whether they are named."""
        f, word = self.f, self.word
        self.cells = cells
        entries = (
            f.convert("zext", f.load(word[Word.COUNT], "i32"), "i64") if self.forest.regular else int_(0)
        )
        self.entries = entries
        self.total = f.gep(self.scratch, f.mul(entries, int_(self.lanes)), "double")
        self.touched = f.gep(self.total, cells, "double")

    def _clear(self) -> None:
        f = self.f
        start = {"sum": 0.0, "min": float("inf"), "max": float("-inf")}[self.forest.combine]
        with f.loop(int_(0), self.entries) as entry:
            f.store(float_(start, self.sums), self._sum_at(entry.index))
        with f.loop(int_(0), self.cells) as cell:
            f.store(float_(start, "double"), f.gep(self.total, cell.index, "double"))
            f.store(int_(0, "i8"), f.gep(self.touched, cell.index, "i8"))

    def _sum_at(self, entry: V) -> V:
        return self.f.gep(self.scratch, self.f.mul(entry, int_(self.lanes)), "double")

    def _walk_all(self) -> None:
        """All trees for a block of rows."""
        f, word = self.f, self.word
        features = f.convert("trunc", f.select(self.by_rows, word[Word.FEATURES], int_(0)), "i32")
        last = f.splat(f.convert("trunc", f.sub(self.count, int_(1)), "i32"), self.lanes)
        lanes = f.iota(self.lanes, "i32")
        offsets = f.binary("mul", f.smin(lanes, last), f.splat(features, self.lanes))
        x = f.gep(word[Word.X], f.mul(self.row, word[Word.FEATURES]), memory_type(self.forest.dtype))
        trees = word[Word.TREES]
        per_turn = f.select(self.by_rows, int_(1), int_(self.lanes))
        apart = f.splat(f.select(self.by_rows, int_(0, "i32"), int_(1, "i32")), self.lanes)
        with f.loop(int_(0), trees, per_turn) as turn:
            first = f.convert("trunc", f.add(word[Word.FIRST], turn.index), "i32")
            edges = f.add(f.splat(first, self.lanes), f.binary("mul", lanes, apart))
            leaves = f.call(self.walk, self.numbers, self.args, x, offsets, edges)
            if self.forest.regular:
                self._regular(leaves)
            else:
                valid = f.select(self.by_rows, self.count, f.smin(f.sub(trees, turn.index), int_(self.lanes)))
                self._irregular(leaves, valid)

    def _regular(self, leaves: V) -> None:
        """Add the weights of leaves that all have the same targets, lane by lane."""
        f, word = self.f, self.word
        start = gather(f, word[Word.START], leaves, "i32")
        with f.loop(int_(0), self.entries) as entry:
            at = f.add(start, f.splat(f.convert("trunc", entry.index, "i32"), self.lanes))
            weight = gather(f, word[Word.WEIGHT], at, memory_type(self.forest.weights))
            here = self._sum_at(entry.index)
            total = self._combined(f.load(here, self.sums), f.convert("fpext", weight, "double"))
            f.store(total, here)

    def _spread(self) -> None:
        """Add the sums of lanes to the totals of the rows they belong to."""
        f, word = self.f, self.word
        lanes = f.select(self.by_rows, self.count, int_(self.lanes))
        with f.loop(int_(0), self.entries) as entry, f.loop(int_(0), lanes) as lane:
            target = f.convert("zext", f.load(f.gep(word[Word.TARGET], entry.index, "i32"), "i32"), "i64")
            value = f.load(f.gep(self._sum_at(entry.index), lane.index, "double"), "double")
            self._add(self._cell(lane.index, target), value)

    def _irregular(self, leaves: V, valid: V) -> None:
        """Add the entries of each leaf to the totals."""
        f, word = self.f, self.word
        f.store(leaves, self.leaves)
        with f.loop(int_(0), valid) as lane:
            leaf = f.convert("zext", f.load(f.gep(self.leaves, lane.index, "i32"), "i32"), "i64")
            entries = (f.load(f.gep(word[w], leaf, "i32"), "i32") for w in (Word.START, Word.COUNT))
            start, count = (f.convert("zext", n, "i64") for n in entries)
            with f.loop(start, f.add(start, count)) as entry:
                target = f.convert("zext", f.load(f.gep(word[Word.TARGET], entry.index, "i32"), "i32"), "i64")
                weight = f.convert("fpext", self.weight.load(word[Word.WEIGHT], entry.index), "double")
                self._add(self._cell(lane.index, target), weight)

    def _cell(self, lane: V, target: V) -> V:
        """The number of a total in this block of rows."""
        f = self.f
        return f.add(f.mul(f.select(self.by_rows, lane, int_(0)), self.word[Word.TARGETS]), target)

    def _add(self, cell: V, value: V) -> None:
        f = self.f
        at = f.gep(self.total, cell, "double")
        f.store(self._combined(f.load(at, "double"), value), at)
        f.store(int_(1, "i8"), f.gep(self.touched, cell, "i8"))

    def _combined(self, old: V, new: V) -> V:
        a, b = Lanes(self.f, old), Lanes(self.f, new)
        match self.forest.combine:
            case "min":
                return (b < a).choose(b, a).v
            case "max":
                return (b > a).choose(b, a).v
        return (a + b).v

    def _finish(self) -> None:
        """Write the totals of some rows."""
        f, word = self.f, self.word
        first = f.mul(self.row, word[Word.TARGETS])
        wanted = f.icmp("ne", word[Word.TOUCHED], V("null", "ptr"))
        with f.loop(int_(0), f.mul(self.count, word[Word.TARGETS])) as cell:
            touched = f.load(f.gep(self.touched, cell.index, "i8"), "i8")
            total = f.load(f.gep(self.total, cell.index, "double"), "double")
            total = f.select(f.icmp("ne", touched, int_(0, "i8")), total, float_(0.0, "double"))
            at = f.add(first, cell.index)
            value = total if self.forest.weights is dt.F64 else f.convert("fptrunc", total, "float")
            self.weight.store(value, word[Word.TOTAL], at)
            with f.when(wanted):
                f.store(touched, f.gep(word[Word.TOUCHED], at, "i8"))
