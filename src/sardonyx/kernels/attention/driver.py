"""Attention: keys and values packed once a head, then strips of rows through both products.

A head whose rows are one strip packs a panel at a time, which then stays in the nearest cache.

Decides what is kept in cache and which thread computes what; must not know what happens to a row of scores.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.emit.shares import Shares
from sardonyx.kernels import scratch
from sardonyx.kernels.arguments import Attention, Gemm
from sardonyx.kernels.attention.layout import STRIP_SHARE, Layout
from sardonyx.kernels.product.walk import DYNAMIC, PACKED, define_block
from sardonyx.kernels.share import ceil_div, evenly, my_runs, new_words, round_up, set_word
from sardonyx.kernels.tiles.repack import define_copy
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_


def define_attention(module: Module, goal: Goal) -> None:
    """Add `void @sdx_attention_f32(ptr args, ptr ctx)`."""
    Walk(module, goal, Layout.of_vectors(goal)).write()


class Walk:
    """Writes the function; attributes are its run-time values."""

    def __init__(self, module: Module, goal: Goal, layout: Layout) -> None:
        self.layout, self.shape = layout, TileShape.of(goal, "f32")
        self.dynamic = define_block(module, goal, self.shape, DYNAMIC)
        self.copy = define_copy(module, self.shape)
        self.of_scores, self.of_mixed = self._define_products(module, goal)
        self.f = Function(module, layout.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.args, self.ctx = self.f.params
        self.word = {w: self.f.word(self.args, w) for w in Attention if w > Attention.ROWS}

    def _define_products(self, module: Module, goal: Goal) -> tuple[str, str]:
        """The functions that multiply by packed keys, and by packed values."""
        packed = define_block(module, goal, self.shape, PACKED)
        return packed, packed

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._lay_out_scratch()
        self.own_words = f.gep(self.args, int_(Attention.EPILOGUE_WORDS), "i64")
        self.strides, self.coords = new_words(f, {}, 3), new_words(f, {}, 3)
        self._make_products()
        self._heads()
        f.ret()
        f.finish()

    def _heads(self) -> None:
        f, word = self.f, self.word
        batch = f.mul(word[Attention.BATCH0], word[Attention.BATCH1])
        some = f.icmp("sgt", f.smin(word[Attention.M], word[Attention.E]), int_(0))
        # Who works on a part of a head packs all of it: no share is less than one.
        threads, products = f.word(self.ctx, Context.NTHREADS), f.mul(word[Attention.T], word[Attention.D])
        work = f.mul(f.mul(batch, word[Attention.M]), products)
        shares = Shares.of(f, self.ctx, threads, work, batch)
        with f.when(some), my_runs(f, batch, word[Attention.M], shares) as (head, first, last):
            self._head(head, first, last)

    def _lay_out_scratch(self) -> None:
        """Behind what products use: packed keys, packed values, a strip of scores."""
        f, shape, word, layout = self.f, self.shape, self.word, self.layout
        self.total = round_up(f, word[Attention.T], shape.lanes)
        sizes = (word[w] for w in (Attention.T, Attention.D, Attention.E))
        total, depth, width = ((round_up(f, n, layout.columns), round_up(f, n, layout.steps)) for n in sizes)
        products = f.add(f.mul(word[Attention.L2_BYTES], int_(2)), int_(scratch.PRODUCT_BYTES))
        keys = f.mul(f.mul(total[0], depth[1]), int_(layout.number_bytes))
        values = f.mul(f.mul(width[0], total[1]), int_(layout.number_bytes))
        self.products = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.keys = f.gep(self.products, products, "i8")
        self.values = f.gep(self.keys, keys, "i8")
        self.scores = f.gep(self.values, values, "i8")
        # An odd number of vectors: the rows of a strip then begin in different L1 sets.
        self.pitch = f.binary("or", self.total, int_(shape.lanes))
        tile_bytes = f.mul(self.pitch, int_(layout.rows * shape.element))
        some = int_(layout.strip_bytes)
        if layout.tile is None:
            some = f.smax(some, f.binary("udiv", word[Attention.L2_BYTES], int_(STRIP_SHARE)))
        tiles = f.smax(f.binary("udiv", some, tile_bytes), int_(1))
        self.strip = f.mul(tiles, int_(layout.rows))

    def _make_products(self) -> None:
        """The words of both products, but for where a strip lies and how many rows it has."""
        word = self.word
        common: dict[int, V] = {Gemm.BATCH0: int_(1), Gemm.BATCH1: int_(1)}
        common[Gemm.L2_BYTES] = word[Attention.L2_BYTES]
        scores: dict[int, V] = {
            Gemm.C: self.scores,
            Gemm.K: word[Attention.D],
            Gemm.A_M: word[Attention.Q_M],
            Gemm.A_K: word[Attention.Q_D],
            Gemm.B_K: word[Attention.K_D],
            Gemm.B_N: word[Attention.K_T],
            Gemm.C_M: self.pitch,
        }
        mixed: dict[int, V] = {
            Gemm.A: self.scores,
            Gemm.N: word[Attention.E],
            Gemm.K: word[Attention.T],
            Gemm.A_M: self.pitch,
            Gemm.A_K: int_(1),
            Gemm.B_K: word[Attention.V_T],
            Gemm.B_N: word[Attention.V_E],
            Gemm.C_M: word[Attention.Y_M],
        }
        self.to_scores, self.to_mixed = (self._words({**common, **own}) for own in (scores, mixed))

    def _words(self, words: Mapping[int, V]) -> V:
        return new_words(self.f, words, Gemm.EPILOGUE_WORDS)

    def _head(self, head: V, first: V, last: V) -> None:
        """Rows first..last of one head."""
        f, word = self.f, self.word
        inner = word[Attention.BATCH1]
        self.index = f.binary("udiv", head, inner), f.binary("urem", head, inner)
        q, k, v, y = (self._origin(w) for w in (Attention.Q, Attention.K, Attention.V, Attention.Y))
        total = word[Attention.T]
        self._pack(f.sub(last, first), k, v)
        set_word(f, self.to_scores, Gemm.B, f.select(self.few, k, self.keys))
        set_word(f, self.to_scores, Gemm.N, f.select(self.few, total, self.total))
        set_word(f, self.to_mixed, Gemm.B, f.select(self.few, v, self.values))
        step = evenly(f, f.sub(last, first), self.strip)
        with f.loop(first, last, step) as strip:
            rows = f.smin(f.sub(last, strip.index), step)
            self._strip(head, strip.index, rows, q, y)

    def _origin(self, operand: Attention) -> V:
        """Where the matrix of this head begins."""
        f = self.f
        strides = (self.word[Attention[f"{operand.name}_BATCH{n}"]] for n in (0, 1))
        offset = f.add(*(f.mul(b, stride) for b, stride in zip(self.index, strides, strict=True)))
        return f.gep(f.word(self.args, operand, "ptr"), offset, self.shape.dtype)

    def _pack(self, rows: V, k: V, v: V) -> None:
        """Pack keys and values for so many rows, unless these are few: one strip, or one tile of vectors."""
        f, word = self.f, self.word
        at_once = int_(0) if self.layout.tile else self.strip
        self.few = f.icmp("sle", rows, f.smax(at_once, int_(self.layout.few_rows)))
        total, depth, width = word[Attention.T], word[Attention.D], word[Attention.E]
        with f.when(f.binary("xor", self.few, int_(1, "i1"))):
            self._pack_panels(self.keys, k, (depth, total), (word[Attention.K_D], word[Attention.K_T]))
            self._pack_panels(self.values, v, (total, width), (word[Attention.V_T], word[Attention.V_E]))

    def _pack_panels(self, to: V, source: V, size: tuple[V, V], strides: tuple[V, V]) -> None:
        """A matrix of `size` (steps, columns) as panels; what pads a panel is unspecified."""
        f, shape, (steps, columns) = self.f, self.shape, size
        with f.loop(int_(0), columns, shape.columns) as panel:
            left = f.smin(f.sub(columns, panel.index), int_(shape.columns))
            narrow = f.icmp("sle", left, int_(shape.lanes))
            pitch = f.select(narrow, int_(shape.lanes), int_(shape.columns))
            for number, stride in enumerate((pitch, *strides)):
                set_word(f, self.strides, number, stride)
            into = f.gep(to, f.mul(panel.index, steps), shape.dtype)
            out_of = f.gep(source, f.mul(panel.index, strides[1]), shape.dtype)
            f.call(self.copy, "void", into, out_of, steps, left, self.strides)

    def _strip(self, head: V, first: V, rows: V, q: V, y: V) -> None:
        """Some rows: scores, what becomes of them, and their product with the values."""
        f, shape, word, zero = self.f, self.shape, self.word, int_(0)
        total = word[Attention.T]
        with f.when(f.icmp("sgt", total, zero)):
            set_word(f, self.to_scores, Gemm.A, f.gep(q, f.mul(first, word[Attention.Q_M]), shape.dtype))
            self._multiply(self.of_scores, self.to_scores, rows, total)
            self._make_shares(f.add(f.mul(head, word[Attention.M]), first), rows)
        set_word(f, self.to_mixed, Gemm.C, f.gep(y, f.mul(first, word[Attention.Y_M]), shape.dtype))
        self._multiply(self.of_mixed, self.to_mixed, rows, word[Attention.E])

    def _make_shares(self, first: V, rows: V) -> None:
        """What becomes of a strip of scores, whose first row is that number; a head of shares at a time."""
        f, word, size = self.f, self.word, self.word[Attention.S]
        with f.repeat(lambda done: f.icmp("slt", done, rows), [int_(0)]) as part:
            done = part.carried[0]
            at = f.add(first, done)
            row = f.binary("urem", at, size)
            for number, value in enumerate((f.binary("udiv", at, size), row)):
                set_word(f, self.coords, number, value)
            some = f.smin(f.sub(rows, done), f.sub(size, row))
            scores = f.gep(self.scores, f.mul(done, self.pitch), self.shape.dtype)
            row_words = self.own_words, self.coords, some, word[Attention.T]
            f.call_pointer(f.word(self.args, Attention.ROWS, "ptr"), scores, self.pitch, *row_words)
            part.next(f.add(done, some))

    def _multiply(self, packed: str, words: V, rows: V, columns: V) -> None:
        f = self.f
        set_word(f, words, Gemm.M, rows)
        panels = ceil_div(f, columns, int_(self.shape.columns))
        block = f.select(self.few, *(V(f"@{name}", "ptr") for name in (self.dynamic, packed)))
        f.call_pointer(block, words, self.ctx, int_(0), int_(0), rows, int_(0), panels)
