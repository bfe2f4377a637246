"""Blocks of rows through small trees by ordinals: a node is asked for as many rows as vectors have bytes.

Nodes are asked in the order of `Ordinals`. Writes code; must not know which forests are asked so.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.target import Target
from sardonyx.kernels.access import Access
from sardonyx.kernels.trees.arguments import Forest, Word
from sardonyx.kernels.trees.combine import combined, start
from sardonyx.kernels.trees.ordinals import MOST_LEAVES
from sardonyx.kernels.trees.searches import Searches
from sardonyx.kernels.trees.totals import Words, output_of
from sardonyx.llvm.byte_table import MOST
from sardonyx.llvm.convert import memory_type
from sardonyx.llvm.lookup import looked_up
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_

VECTORS = 4
"""Vectors of rows side by side: what one waits for, the others fill."""
PICKED = 4
"""Most vectors of leaves that stay in registers."""


def rows_of_block(target: Target) -> int:
    """Rows that are asked at once."""
    return VECTORS * 4 * target.lanes


def block_bytes(width: int, target: Target) -> int:
    """Bytes for the ordinals of a block, where its walks are, and its totals."""
    return rows_of_block(target) * (MOST + 1 + 8 * width)


class OrdinalBlocks:
    """Writes the loop over blocks of rows into a function being written."""

    def __init__(self, f: Function, forest: Forest, target: Target, word: Words, scratch: V) -> None:
        self.f, self.forest, self.target, self.word = f, forest, target, word
        self.lanes, self.rows = 4 * target.lanes, rows_of_block(target)
        self.bytes = vector_of("i8", self.lanes)
        self.ordinals = scratch
        self.reached = f.gep(scratch, int_(MOST * self.rows), "i8")
        self.total = f.gep(self.reached, int_(self.rows), "i8")
        self.weight = Access(f, forest.stored, target)
        self.searches = Searches(f, forest, word)

    def run(self, first: V, count: V, write: Callable[[V, V, V], None]) -> None:
        """A block of rows; `write` takes where a total goes, the total, and if it counts."""
        f, width = self.f, self.forest.width
        with f.loop(int_(0), count) as row:
            self.searches.write(f.add(first, row.index), f.gep(self.ordinals, row.index, "i8"), self.rows)
        with f.loop(int_(0), int_(self.rows * width)) as cell:
            f.store(start(self.forest.combine), f.gep(self.total, cell.index, "double"))
        with f.loop(int_(0), self.word[Word.TREES]) as tree:
            self._add(self._walk(tree.index))
        self._finish(first, count, write)

    def _walk(self, tree: V) -> V:
        """Write which leaf each row reaches in a tree; the number of that one's first leaf."""
        f, word = self.f, self.word
        low, high = (f.load(f.gep(word[Word.BEGINS], f.add(tree, int_(n)), "i64"), "i64") for n in (0, 1))
        zero, one = int_(0, self.bytes), int_(1, self.bytes)
        with f.loop(low, high, 1, [one, *[zero] * VECTORS]) as node:
            number, *walks = node.carried
            at = f.gep(word[Word.NODES], f.mul(node.index, int_(3)), "i8")
            place, least, first = (f.load(f.gep(at, int_(n), "i8"), "i8") for n in range(3))
            ordinals = f.gep(self.ordinals, f.mul(f.convert("zext", place, "i64"), int_(self.rows)), "i8")
            least, first = (f.splat(v, self.lanes) for v in (least, first))
            never, after = int_(MOST_LEAVES, self.bytes), []
            for n, walk in enumerate(walks):
                x = f.load(f.gep(ordinals, int_(n * self.lanes), "i8"), self.bytes)
                least_walk = f.select(f.icmp("uge", x, least), first, never)
                after.append(f.select(f.icmp("uge", walk, least_walk), number, walk))
            node.next(f.add(number, one), *after)
        for n, walk in enumerate(node.carried[1:]):
            f.store(walk, f.gep(self.reached, int_(n * self.lanes), "i8"))
        return f.add(low, tree)

    def _add(self, first: V) -> None:
        """Add the leaves of a tree, from that number on, to the totals of all rows."""
        f, word, width = self.f, self.word, self.forest.width
        leaves = f.gep(word[Word.WEIGHT], f.mul(first, int_(width)), memory_type(self.forest.stored))
        if self.forest.leaves:
            self._add_picked(leaves)
            return
        with f.loop(int_(0), int_(self.rows)) as row:
            reached = f.convert("zext", f.load(f.gep(self.reached, row.index, "i8"), "i8"), "i64")
            for output in range(width):
                leaf = f.add(f.mul(reached, int_(width)), int_(output))
                at = f.gep(self.total, f.add(row.index, int_(output * self.rows)), "double")
                weight = self.weight.load_double(leaves, leaf)
                f.store(combined(f, self.forest.combine, f.load(at, "double"), weight), at)

    def _add_picked(self, leaves: V) -> None:
        """The same where the leaves of a tree, one weight each, stay in registers."""
        f, lanes = self.f, self.target.lanes
        table = [
            f.load(f.gep(leaves, int_(n), "float"), vector_of("float", lanes))
            for n in range(0, self.forest.leaves, lanes)
        ]
        with f.loop(int_(0), int_(self.rows), lanes) as row:
            reached = f.load(f.gep(self.reached, row.index, "i8"), vector_of("i8", lanes))
            picked = looked_up(f, self.target, table, f.convert("zext", reached, "i32"))
            weight = f.convert("fpext", picked, "double")
            at = f.gep(self.total, row.index, "double")
            f.store(combined(f, self.forest.combine, f.load(at, weight.type), weight), at)

    def _finish(self, first: V, count: V, write: Callable[[V, V, V], None]) -> None:
        f, word = self.f, self.word
        with f.loop(int_(0), count) as row, f.loop(int_(0), word[Word.TARGETS]) as target:
            output, named = output_of(f, word, target.index)
            cell = f.add(f.mul(output, int_(self.rows)), row.index)
            total = f.load(f.gep(self.total, cell, "double"), "double")
            at = f.add(f.mul(f.add(first, row.index), word[Word.TARGETS]), target.index)
            write(at, total, named)
