"""Ensembles of decision trees: each thread's rows, by bits, by ordinals or by walks.

Decides which rows go which way and how totals are written; must not know ONNX.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.target import Target
from sardonyx.kernels.access import Access
from sardonyx.kernels.share import ceil_div, split
from sardonyx.kernels.trees.arguments import SIZES, Forest, Word
from sardonyx.kernels.trees.bits import VECTORS, BitRows
from sardonyx.kernels.trees.ordinal_blocks import OrdinalBlocks, rows_of_block
from sardonyx.kernels.trees.ordinal_rows import OrdinalRows
from sardonyx.kernels.trees.walks import Walks
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_BOUNDS = 1


def forest_ir(forest: Forest, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Driver(module, forest, target).write()
    return module.text()


class _Driver:
    """Writes the kernel: each thread's rows by bits, by ordinals or by walks."""

    def __init__(self, module: Module, forest: Forest, target: Target) -> None:
        self.f = f = Function(module, forest.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.forest, self.target = forest, target
        args, self.ctx = f.params
        self.word = {w: f.word(args, w, "i64" if w in SIZES else "ptr") for w in Word if w is not Word.WORDS}
        self.result = Access(f, forest.weights, target)
        self.scratch = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.place = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        self.tells_touched = f.icmp("ne", self.word[Word.TOUCHED], V("null", "ptr"))

    def write(self) -> None:
        """Add the function to its module."""
        f, word = self.f, self.word
        asked, features = word[Word.MOST_FEATURES], word[Word.FEATURES]
        bad = f.icmp("sgt", asked, features)
        with f.when(bad):
            f.call("sdx_fail", "void", self.ctx, int_(_BOUNDS), f.sub(asked, int_(1)), features)
        rows, first = f.select(bad, int_(0), word[Word.ROWS]), int_(0)
        if self.forest.blocks:
            first = self._by_blocks(rows)
            rows = f.sub(rows, first)
        if self.forest.bits:
            many = f.icmp("sge", rows, word[Word.LEAST_ROWS])
            wide = f.icmp("sgt", rows, int_(self.target.lanes))
            self._by_bits(first, f.select(f.binary("and", many, wide), rows, int_(0)), VECTORS)
            self._by_bits(first, f.select(wide, int_(0), f.select(many, rows, int_(0))), 1)
            rows = f.select(many, int_(0), rows)
        one_by_one = OrdinalRows if self.forest.ordinals else Walks
        rest = one_by_one(f, self.forest, self.target, word, self.scratch)
        low, high = split(f, rows, *self.place)
        rest.run(f.add(first, low), f.add(first, high), self._write_total)
        f.ret()
        f.finish()

    def _by_blocks(self, rows: V) -> V:
        """Blocks of rows by ordinals, if each thread has one, the last three quarters full; how many rows."""
        f, size = self.f, rows_of_block(self.target)
        count = f.binary("udiv", f.add(rows, int_(size // 4)), int_(size))
        count = f.select(f.icmp("sge", count, self.place[1]), count, int_(0))
        blocks = OrdinalBlocks(f, self.forest, self.target, self.word, self.scratch)
        with f.loop(*split(f, count, *self.place)) as block:
            first = f.mul(block.index, int_(size))
            blocks.run(first, f.smin(f.sub(rows, first), int_(size)), self._write_total)
        return f.smin(rows, f.mul(count, int_(size)))

    def _by_bits(self, first: V, rows: V, vectors: int) -> None:
        """Blocks of so many vectors of rows from one on, by tests of all nodes."""
        f, word, forest, size = self.f, self.word, self.forest, vectors * self.target.lanes
        tables = word[Word.HEADS], word[Word.TESTS], word[Word.LEAVES]
        kind = forest.bits, forest.modes[0] if forest.modes else 0, forest.combine
        bits = BitRows(f, kind, self.target, tables, self.scratch, vectors)
        sizes = word[Word.FEATURES], word[Word.TREES], word[Word.TARGETS], word[Word.OUTPUTS]
        with f.loop(*split(f, ceil_div(f, rows, int_(size)), *self.place)) as block:
            row = f.mul(block.index, int_(size))
            count = f.smin(f.sub(rows, row), int_(size))
            row = f.add(first, row)
            self._finish_bits(row, count, bits.run((row, count), word[Word.X], sizes), size)

    def _finish_bits(self, row: V, count: V, total: V, size: int) -> None:
        """Write totals [targets, rows of a block]; what is touched are the targets that a tree names."""
        f, word = self.f, self.word
        with f.loop(int_(0), count) as r, f.loop(int_(0), word[Word.TARGETS]) as named:
            value = f.load(f.gep(total, f.add(f.mul(named.index, int_(size)), r.index), "double"), "double")
            touched = f.load(f.gep(word[Word.NAMED], named.index, "i8"), "i8")
            at = f.add(f.mul(f.add(row, r.index), word[Word.TARGETS]), named.index)
            self._write_total(at, value, touched)

    def _write_total(self, at: V, total: V, touched: V) -> None:
        """Write the total of a target for a row, 0 if no leaf touched it, and whether one did if wanted."""
        f = self.f
        total = f.select(f.icmp("ne", touched, int_(0, "i8")), total, float_(0.0, "double"))
        self.result.store_double(total, self.word[Word.TOTAL], at)
        with f.when(self.tells_touched):
            f.store(touched, f.gep(self.word[Word.TOUCHED], at, "i8"))
