"""Ensembles of decision trees: walks of equal length side by side, over trees of a row or rows of a tree.

Decides the layout of nodes and what runs side by side; must not know ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum, auto

from sardonyx.base import dtype as dt
from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.kernels.access import Access
from sardonyx.kernels.share import ceil_div, split
from sardonyx.kernels.trees.bits import VECTORS, BitRows
from sardonyx.kernels.trees.combine import combined, start
from sardonyx.llvm.convert import memory_type
from sardonyx.llvm.vec import Function, Module, V, float_, int_

WALKS = 12
"""Walks side by side: each waits for its loads, the others run on."""
LEAST_BLOCK_ROWS, BLOCK_ROWS = 64, 256
"""Rows that go through a tree before the next, at least and at most; its nodes are read again for each block.

Between the two, as many rows as stay in the first cache beside nodes.
"""

MODE_SHIFT, MISSING_SHIFT, LEAF = 24, 27, 6
"""Facts of a node: its feature, from bit MODE_SHIFT on its comparison or LEAF, whether NaN means yes."""

_COMPARISONS = ("ole", "olt", "oge", "ogt", "oeq", "une")
_BOUNDS = 1
_TOTAL_BYTES = 9
"""A total in double precision, and whether a leaf touched it."""


class Word(IntEnum):
    """Argument words.

    X [ROWS, FEATURES]. NODES are records of `Forest.node_bytes`: the threshold, then i32 facts and the
    offsets in bytes of the nodes after a no and after a yes; those of a leaf are its own. ROOTS are i32
    offsets and DEPTHS the i32 length of the longest walk of each tree, both filled up to a multiple of WALKS
    by a leaf without entries. START and COUNT, i32, are the entries of each node that is a leaf; TARGET (i32)
    and WEIGHT those of an entry. HEADS, TESTS and LEAVES are the small trees of `Bits`, each of OUTPUTS
    targets, and NAMED, u8, the targets of them all, or 0; they serve LEAST_ROWS rows or more. Results: TOTAL
    and TOUCHED (or 0) [ROWS, TARGETS].
    """

    X = 0
    ROWS = auto()
    FEATURES = auto()
    MOST_FEATURES = auto()
    TREES = auto()
    TARGETS = auto()
    NODES = auto()
    ROOTS = auto()
    DEPTHS = auto()
    START = auto()
    COUNT = auto()
    TARGET = auto()
    WEIGHT = auto()
    HEADS = auto()
    TESTS = auto()
    LEAVES = auto()
    NAMED = auto()
    OUTPUTS = auto()
    LEAST_ROWS = auto()
    TOTAL = auto()
    TOUCHED = auto()
    WORDS = auto()


_SIZES = (
    Word.ROWS,
    Word.FEATURES,
    Word.MOST_FEATURES,
    Word.TREES,
    Word.TARGETS,
    Word.OUTPUTS,
    Word.LEAST_ROWS,
)


@dataclass(frozen=True, slots=True)
class Forest:
    """What a kernel is generated for: element types, the comparisons that occur, and how weights combine.

    `bits` is the size of masks of leaves where all trees are small, else 0.
    """

    dtype: DType
    weights: DType
    modes: tuple[int, ...]
    missing: bool
    combine: str
    bits: int = 0

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        modes = "".join(map(str, self.modes)) + ("m" if self.missing else "")
        bits = f"_bits{self.bits}" if self.bits else ""
        return f"sdx_trees_{self.dtype.name}_{self.weights.name}_{self.combine}_{modes}{bits}"

    @property
    def node_shift(self) -> int:
        """The binary logarithm of `node_bytes`."""
        return 4 if self.dtype is dt.F32 else 5

    @property
    def node_bytes(self) -> int:
        """Bytes of a node's record."""
        return 1 << self.node_shift


def forest_ir(forest: Forest, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Driver(module, forest, target).write()
    return module.text()


class _Walk:
    """Writes walks side by side in a function being written."""

    def __init__(self, f: Function, forest: Forest, nodes: V) -> None:
        self.f, self.forest, self.nodes = f, forest, nodes
        self.scalar = memory_type(forest.dtype)
        self.facts_at = forest.dtype.size_bytes

    def run(self, rows: Sequence[V], roots: Sequence[V], depth: V) -> list[V]:
        """The offsets of the leaves reached, i64; two steps at a time, until a second one moves no walk."""
        f = self.f
        with f.repeat(lambda left, *_: f.icmp("sgt", left, int_(0)), [depth, *roots]) as loop:
            left, *here = loop.carried
            near = [self._next(row, at) for row, at in zip(rows, here, strict=True)]
            far = [self._next(row, at) for row, at in zip(rows, near, strict=True)]
            moved = int_(0)
            for one, other in zip(near, far, strict=True):
                moved = f.binary("or", moved, f.binary("xor", one, other))
            is_done = f.icmp("eq", moved, int_(0))
            loop.next(f.select(is_done, int_(0), f.sub(left, int_(2))), *far)
        return list(loop.carried[1:])

    def _next(self, row: V, at: V) -> V:
        f = self.f
        node = f.gep(self.nodes, at, "i8")
        facts = f.load(f.gep(node, int_(self.facts_at), "i8"), "i32")
        feature = facts if self._is_plain() else f.binary("and", facts, int_((1 << MODE_SHIFT) - 1, "i32"))
        value = f.load(f.gep(row, f.convert("zext", feature, "i64"), self.scalar), self.scalar)
        yes = self._answer(value, f.load(node, self.scalar), facts)
        following = f.gep(f.gep(node, int_(self.facts_at + 4), "i8"), f.convert("zext", yes, "i64"), "i32")
        return f.convert("zext", f.load(following, "i32"), "i64")

    def _is_plain(self) -> bool:
        """Whether facts hold nothing but the feature."""
        return len(self.forest.modes) <= 1 and not self.forest.missing

    def _answer(self, value: V, limit: V, facts: V) -> V:
        """Whether a node says yes."""
        f, modes = self.f, self.forest.modes
        answer = int_(0, "i1")
        for mode in modes:
            found = f.fcmp(_COMPARISONS[mode], value, limit)
            if len(modes) > 1:
                asked = f.binary("and", f.binary("lshr", facts, int_(MODE_SHIFT, "i32")), int_(7, "i32"))
                asked = f.icmp("eq", asked, int_(mode, "i32"))
                found = f.binary("or", answer, f.binary("and", asked, found))
            answer = found
        if self.forest.missing:
            marked = f.binary("and", facts, int_(1 << MISSING_SHIFT, "i32"))
            wanted = f.icmp("ne", marked, int_(0, "i32"))
            answer = f.binary("or", answer, f.binary("and", wanted, f.fcmp("uno", value, value)))
        return answer


class _Driver:
    """Writes the kernel: blocks of rows for each thread, totals in scratch."""

    def __init__(self, module: Module, forest: Forest, target: Target) -> None:
        self.f = Function(module, forest.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.forest, self.target = forest, target
        args, self.ctx = self.f.params
        self.word = {
            w: self.f.word(args, w, "i64" if w in _SIZES else "ptr") for w in Word if w is not Word.WORDS
        }
        self.walk = _Walk(self.f, forest, self.word[Word.NODES])
        self.weight = Access(self.f, forest.weights, target)
        self.total = self.f.word(self.ctx, Context.SCRATCH, "ptr")
        self.tells_touched = self.f.icmp("ne", self.word[Word.TOUCHED], V("null", "ptr"))

    def write(self) -> None:
        """Add the function to its module."""
        f, word = self.f, self.word
        asked, features = word[Word.MOST_FEATURES], word[Word.FEATURES]
        bad = f.icmp("sgt", asked, features)
        with f.when(bad):
            f.call("sdx_fail", "void", self.ctx, int_(_BOUNDS), f.sub(asked, int_(1)), features)
        rows = f.select(bad, int_(0), word[Word.ROWS])
        if self.forest.bits:
            many = f.icmp("sge", rows, word[Word.LEAST_ROWS])
            wide = f.icmp("sgt", rows, int_(self.target.lanes))
            self._by_bits(f.select(f.binary("and", many, wide), rows, int_(0)), VECTORS)
            self._by_bits(f.select(wide, int_(0), f.select(many, rows, int_(0))), 1)
            rows = f.select(many, int_(0), rows)
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        self._by_walks(*split(f, rows, tid, threads))
        f.ret()
        f.finish()

    def _by_walks(self, low: V, high: V) -> None:
        """Blocks of rows in whole WALKS, then what is left row by row, with trees side by side."""
        f = self.f
        rows = f.sub(high, low)
        whole = f.mul(f.binary("sdiv", rows, int_(WALKS)), int_(WALKS))
        unit = self._block_rows(whole)
        blocks = ceil_div(f, whole, unit)
        self.touched = f.gep(self.total, f.mul(unit, self.word[Word.TARGETS]), "double")
        with f.loop(int_(0), f.add(blocks, f.sub(rows, whole))) as block:
            self.by_rows = f.icmp("slt", block.index, blocks)
            place = f.mul(block.index, unit)
            at = f.select(self.by_rows, place, f.add(whole, f.sub(block.index, blocks)))
            count = f.select(self.by_rows, f.smin(f.sub(whole, place), unit), int_(1))
            self._clear(count)
            self._block(f.add(low, at), count)
            self._finish(f.add(low, at), count)

    def _block_rows(self, rows: V) -> V:
        """Rows of a block, in whole WALKS: even parts of a thread's rows."""
        f = self.f
        parts = f.smax(ceil_div(f, rows, self._most_rows()), int_(1))
        groups = ceil_div(f, ceil_div(f, rows, parts), int_(WALKS))
        return f.smax(f.mul(groups, int_(WALKS)), int_(1))

    def _most_rows(self) -> V:
        """Most rows of a block: those whose features and totals fill three quarters of the first cache."""
        f, word, size = self.f, self.word, self.forest.dtype.size_bytes
        row = f.add(f.mul(word[Word.FEATURES], int_(size)), f.mul(word[Word.TARGETS], int_(_TOTAL_BYTES)))
        rows = f.binary("sdiv", int_(self.target.l1_bytes * 3 // 4), f.smax(row, int_(1)))
        rows = f.smin(f.smax(rows, int_(LEAST_BLOCK_ROWS)), int_(BLOCK_ROWS))
        return f.mul(f.binary("sdiv", rows, int_(WALKS)), int_(WALKS))

    @contextmanager
    def _blocks(self, rows: V, unit: V) -> Iterator[tuple[V, V]]:
        """This thread's blocks of `unit` rows, the last of which may be shorter: first row and count."""
        f = self.f
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        with f.loop(*split(f, ceil_div(f, rows, unit), tid, threads)) as block:
            row = f.mul(block.index, unit)
            yield row, f.smin(f.sub(rows, row), unit)

    def _by_bits(self, rows: V, vectors: int) -> None:
        """Blocks of so many vectors of rows, by tests of all nodes."""
        f, word, forest, size = self.f, self.word, self.forest, vectors * self.target.lanes
        tables = word[Word.HEADS], word[Word.TESTS], word[Word.LEAVES]
        kind = forest.bits, forest.modes[0] if forest.modes else 0, forest.combine
        bits = BitRows(f, kind, self.target, tables, self.total, vectors)
        sizes = word[Word.FEATURES], word[Word.TREES], word[Word.TARGETS], word[Word.OUTPUTS]
        with self._blocks(rows, int_(size)) as (row, count):
            self._finish_bits(row, count, bits.run((row, count), word[Word.X], sizes), size)

    def _finish_bits(self, row: V, count: V, total: V, size: int) -> None:
        """Write totals [targets, rows of a block]; what is touched are the targets that a tree names."""
        f, word = self.f, self.word
        with f.loop(int_(0), count) as r, f.loop(int_(0), word[Word.TARGETS]) as named:
            value = f.load(f.gep(total, f.add(f.mul(named.index, int_(size)), r.index), "double"), "double")
            touched = f.load(f.gep(word[Word.NAMED], named.index, "i8"), "i8")
            at = f.add(f.mul(f.add(row, r.index), word[Word.TARGETS]), named.index)
            self._write_total(at, value, touched)

    def _clear(self, count: V) -> None:
        f = self.f
        with f.loop(int_(0), f.mul(count, self.word[Word.TARGETS])) as cell:
            f.store(start(self.forest.combine), f.gep(self.total, cell.index, "double"))
            f.store(int_(0, "i8"), f.gep(self.touched, cell.index, "i8"))

    def _block(self, row: V, count: V) -> None:
        """All trees for a block of rows, tree by tree: the nodes of one stay in the cache."""
        f, word = self.f, self.word
        stride = f.select(self.by_rows, int_(0), int_(1))
        with f.loop(int_(0), word[Word.TREES], f.select(self.by_rows, int_(1), int_(WALKS))) as tree:
            trees = [f.add(tree.index, f.mul(stride, int_(walk))) for walk in range(WALKS)]
            roots, depths = (
                [f.convert("zext", f.load(f.gep(word[w], t, "i32"), "i32"), "i64") for t in trees]
                for w in (Word.ROOTS, Word.DEPTHS)
            )
            depth = depths[0]
            for other in depths[1:]:
                depth = f.smax(depth, other)
            with f.loop(int_(0), count, WALKS) as group:
                self._walks(row, group.index, roots, depth)

    def _walks(self, row: V, group: V, roots: Sequence[V], depth: V) -> None:
        """Walks from these roots for the rows of a block from `group` on."""
        f, word = self.f, self.word
        step = f.select(self.by_rows, int_(1), int_(0))
        places = [f.add(group, f.mul(step, int_(walk))) for walk in range(WALKS)]
        rows = [
            f.gep(
                word[Word.X],
                f.mul(f.add(row, place), word[Word.FEATURES]),
                memory_type(self.forest.dtype),
            )
            for place in places
        ]
        for place, leaf in zip(places, self.walk.run(rows, roots, depth), strict=True):
            self._leaf(f.mul(place, word[Word.TARGETS]), leaf)

    def _leaf(self, first: V, leaf: V) -> None:
        """Add the entries of a leaf to the totals from `first` on."""
        f, word = self.f, self.word
        number = f.binary("lshr", leaf, int_(self.forest.node_shift))
        entries = (f.load(f.gep(word[w], number, "i32"), "i32") for w in (Word.START, Word.COUNT))
        start, count = (f.convert("zext", n, "i64") for n in entries)
        with f.loop(start, f.add(start, count)) as entry:
            target = f.load(f.gep(word[Word.TARGET], entry.index, "i32"), "i32")
            cell = f.add(first, f.convert("zext", target, "i64"))
            weight = self.weight.load_double(word[Word.WEIGHT], entry.index)
            at = f.gep(self.total, cell, "double")
            f.store(combined(f, self.forest.combine, f.load(at, "double"), weight), at)
            f.store(int_(1, "i8"), f.gep(self.touched, cell, "i8"))

    def _finish(self, row: V, count: V) -> None:
        """Write the totals of a block of rows."""
        f, word = self.f, self.word
        first = f.mul(row, word[Word.TARGETS])
        with f.loop(int_(0), f.mul(count, word[Word.TARGETS])) as cell:
            touched = f.load(f.gep(self.touched, cell.index, "i8"), "i8")
            total = f.load(f.gep(self.total, cell.index, "double"), "double")
            self._write_total(f.add(first, cell.index), total, touched)

    def _write_total(self, at: V, total: V, touched: V) -> None:
        """Write the total of a target for a row, 0 if no leaf touched it, and whether one did if wanted."""
        f = self.f
        total = f.select(f.icmp("ne", touched, int_(0, "i8")), total, float_(0.0, "double"))
        self.weight.store_double(total, self.word[Word.TOTAL], at)
        with f.when(self.tells_touched):
            f.store(touched, f.gep(self.word[Word.TOUCHED], at, "i8"))
