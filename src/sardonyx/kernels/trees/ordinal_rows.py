"""A row at a time through small trees by its ordinals, as many trees at once as vectors have bytes.

What ordinals and steps are says `Ordinals`. Writes code; must not know which forests are asked so.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.target import Target
from sardonyx.kernels.trees.arguments import Forest, Word
from sardonyx.kernels.trees.ordinals import ABREAST
from sardonyx.kernels.trees.searches import Searches
from sardonyx.kernels.trees.totals import Totals, Words, totals_bytes
from sardonyx.llvm.byte_table import MOST, ByteTable
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_


def ordinal_bytes(targets: int, target: Target) -> int:
    """Bytes for the ordinals of a row, where its walks are in a block of trees, and its totals."""
    return MOST + max(ABREAST) * 4 * target.lanes + totals_bytes(1, targets)


class OrdinalRows:
    """Writes the loop over the rows of a thread into a function being written."""

    def __init__(self, f: Function, forest: Forest, target: Target, word: Words, scratch: V) -> None:
        self.f, self.forest, self.target, self.word = f, forest, target, word
        self.lanes = 4 * target.lanes
        self.trees = forest.abreast * self.lanes
        self.bytes = vector_of("i8", self.lanes)
        self.ordinals = scratch
        self.searches = Searches(f, forest, word)
        self.reached = f.gep(scratch, int_(MOST), "i8")
        self.totals = Totals(f, forest, target, word, f.gep(self.reached, int_(self.trees), "i8"), 1)

    def run(self, low: V, high: V, write: Callable[[V, V, V], None]) -> None:
        """The rows from `low` to `high`; `write` takes where a total goes, the total, and if it counts."""
        f, word = self.f, self.word
        with f.loop(low, high) as row:
            self.totals.clear(int_(1))
            self.searches.write(row.index, self.ordinals, 1)
            table = ByteTable(f, self.target, self.ordinals, self.forest.ordinals)
            start = [int_(0), word[Word.STEPS]]
            with f.loop(int_(0), word[Word.TREES], self.trees, start) as tree:
                block, steps = tree.carried
                slots = f.load(f.gep(word[Word.SLOTS], block, "i64"), "i64")
                self._walk(table, steps, slots)
                self._add(tree.index)
                after = f.gep(steps, f.mul(slots, int_(3 * self.trees)), "i8")
                tree.next(f.add(block, int_(1)), after)
            self.totals.write(row.index, int_(1), write)

    def _walk(self, table: ByteTable, steps: V, slots: V) -> None:
        """Write which leaf a row reaches in each tree of a block."""
        f, abreast = self.f, self.forest.abreast
        zero, one = int_(0, self.bytes), int_(1, self.bytes)
        with f.loop(int_(0), slots, 1, [one, *[zero] * abreast]) as slot:
            number, *walks = slot.carried
            here = f.gep(steps, f.mul(slot.index, int_(3 * self.trees)), "i8")
            after = [
                self._step(table, f.gep(here, int_(3 * self.lanes * n), "i8"), number, walk)
                for n, walk in enumerate(walks)
            ]
            slot.next(f.add(number, one), *after)
        for n, walk in enumerate(slot.carried[1:]):
            f.store(walk, f.gep(self.reached, int_(n * self.lanes), "i8"))

    def _step(self, table: ByteTable, node: V, number: V, walk: V) -> V:
        f = self.f
        place, least, first = (f.load(f.gep(node, int_(n * self.lanes), "i8"), self.bytes) for n in range(3))
        is_below = f.icmp("uge", walk, first)
        says_no = f.icmp("uge", table.at(place), least)
        return f.select(f.binary("and", says_no, is_below), number, walk)

    def _add(self, tree: V) -> None:
        """Add the leaves of a block of trees."""
        f, word = self.f, self.word

        def leaf(walk: V) -> V:
            reached = f.load(f.gep(self.reached, walk, "i8"), "i8")
            first = f.load(f.gep(f.gep(word[Word.BASES], tree, "i32"), walk, "i32"), "i32")
            return f.convert("zext", f.add(first, f.convert("zext", reached, "i32")), "i64")

        self.totals.add_trees(f.smin(f.sub(word[Word.TREES], tree), int_(self.trees)), leaf)
