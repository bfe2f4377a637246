"""Rows walk through a forest: a few each through all trees, many as a block through one tree after the other.

Decides what walks side by side and how leaves become totals, in the order of trees; must not know ONNX.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.target import Target
from sardonyx.kernels.share import evenly
from sardonyx.kernels.trees.arguments import TREES, Forest, Word
from sardonyx.kernels.trees.steps import Queue, Rows, Steps
from sardonyx.kernels.trees.totals import TOTAL_BYTES, Totals, Words, totals_bytes
from sardonyx.llvm.convert import memory_type
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_

MANY_ROWS = 48
"""From so many rows on a block of them goes through a tree before the next, whose nodes stay in the cache."""
LEAST_BLOCK_ROWS, BLOCK_ROWS = 64, 256
"""Rows of such a block, at least and at most: as many as stay in the first cache beside nodes."""
_WALKS = max(TREES, BLOCK_ROWS)


def scratch_bytes(forest: Forest, targets: int, target: Target) -> int:
    """Bytes for the rows of a block, their walks and their totals."""
    return _features_bytes(forest, target) + _WALKS * 12 + totals_bytes(BLOCK_ROWS, targets)


def _features_bytes(forest: Forest, target: Target) -> int:
    return BLOCK_ROWS * forest.registers * target.lanes * 4


class Walks:
    """Writes all walks of a thread into a function being written."""

    def __init__(self, f: Function, forest: Forest, target: Target, word: Words, scratch: V) -> None:
        self.f, self.forest, self.target, self.word = f, forest, target, word
        self.rows = scratch
        queue = f.gep(scratch, int_(_features_bytes(forest, target)), "i8")
        ends = f.gep(queue, int_(_WALKS), "i64")
        self.queue = Queue(queue, ends)
        self.totals = Totals(f, forest, target, word, f.gep(ends, int_(_WALKS), "i32"), BLOCK_ROWS)
        assert forest.layout is not None, "walks go through clusters"
        questions = forest.modes, forest.missing
        self.steps = Steps(f, forest.layout, questions, word[Word.CLUSTERS], forest.registers, target)

    def run(self, low: V, high: V, write: Callable[[V, V, V], None]) -> None:
        """The rows from `low` to `high`; `write` takes where a total goes, the total, and if it counts."""
        f = self.f
        rows = f.sub(high, low)
        self.many = f.icmp("sge", rows, int_(MANY_ROWS))
        unit = f.select(self.many, evenly(f, f.smax(rows, int_(1)), self._most_rows()), int_(1))
        with f.loop(low, high, unit) as block:
            count = f.smin(f.sub(high, block.index), unit)
            rows_of = self._features(block.index, count)
            self.totals.clear(count)
            with f.loop(int_(0), self.word[Word.TREES], f.select(self.many, int_(1), int_(TREES))) as tree:
                self._walks(tree.index, count, rows_of)
            self.totals.write(block.index, count, write)

    def _most_rows(self) -> V:
        """Most rows of a block: those whose features and totals fill three quarters of the first cache."""
        f, word, size = self.f, self.word, self.forest.dtype.size_bytes
        features = self.forest.registers * self.target.lanes
        width = int_(features) if features else word[Word.FEATURES]
        row = f.add(f.mul(width, int_(size)), f.mul(self.totals.cells, int_(TOTAL_BYTES)))
        rows = f.binary("sdiv", int_(self.target.l1_bytes * 3 // 4), f.smax(row, int_(1)))
        return f.smin(f.smax(rows, int_(LEAST_BLOCK_ROWS)), int_(BLOCK_ROWS))

    def _features(self, first: V, count: V) -> Rows:
        """The rows of a block: where they are, or as whole vectors of their features."""
        f, word, lanes = self.f, self.word, self.target.lanes
        real, size = memory_type(self.forest.dtype), self.forest.dtype.size_bytes
        source = f.gep(word[Word.X], f.mul(first, word[Word.FEATURES]), real)
        if not self.forest.registers:
            stride = f.mul(word[Word.FEATURES], int_(size))
            return Rows(source, f.select(self.many, stride, int_(0)))
        width = self.forest.registers * lanes
        with f.loop(int_(0), count) as row:
            given = f.gep(source, f.mul(row.index, word[Word.FEATURES]), real)
            kept = f.gep(self.rows, f.mul(row.index, int_(width)), real)
            for place in range(0, width, lanes):
                mask = f.tail_mask(f.sub(word[Word.MOST_FEATURES], int_(place)), lanes)
                values = f.masked_load(f.gep(given, int_(place), real), vector_of(real, lanes), mask)
                f.store(values, f.gep(kept, int_(place), real))
        return Rows(self.rows, f.select(self.many, int_(width * size), int_(0)))

    def _walks(self, tree: V, count: V, rows: Rows) -> None:
        """A block of rows through one tree, or a row through TREES of them."""
        f, word = self.f, self.word
        walks = f.select(self.many, count, f.smin(f.sub(word[Word.TREES], tree), int_(TREES)))
        roots = f.gep(word[Word.ROOTS], tree, "i64")
        with f.when(self.many):
            root = f.binary("and", f.load(roots, "i64"), int_((1 << 32) - 1))
            with f.loop(int_(0), count) as row:
                here = f.add(f.binary("shl", row.index, int_(32)), root)
                f.store(here, f.gep(self.queue.queue, row.index, "i64"))
        self.steps.run(f.select(self.many, self.queue.queue, roots), walks, self.queue, rows)
        self._add(tree, walks)

    def _add(self, tree: V, walks: V) -> None:
        """Add the leaves that walks ended at to totals."""
        f = self.f
        with f.when(self.many):
            self.totals.add_rows(walks, lambda row: self._leaf(row, tree))
        with f.when(f.icmp("eq", self.many, int_(0, "i1"))):
            self.totals.add_trees(walks, lambda walk: self._leaf(walk, f.add(tree, walk)))

    def _leaf(self, walk: V, tree: V) -> V:
        """The number of the leaf that a walk through a tree ended at."""
        f = self.f
        end = f.load(f.gep(self.queue.ends, walk, "i32"), "i32")
        base = f.load(f.gep(self.word[Word.BASES], tree, "i32"), "i32")
        return f.convert("zext", f.add(end, base), "i64")
