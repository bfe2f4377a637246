"""How contraction kernels cut rows into register tiles, share work between threads and hand tiles over.

Decides balance and calling conventions inside a kernel; must not know what the rows and columns mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sardonyx.base.target import Target
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, UNROLL, MicroKernel, define, vector_lanes
from sardonyx.llvm.vec import Function, Module, V, int_, size_of, vector_of

SUFFIX = {"float": "f32", "double": "f64"}
"""How a kernel's symbol ends, by element type."""

_DISTANCE_BYTES = 12 << 10
"""How far ahead of its loads a lone tile prefetches B: the latency of memory at full FMA speed."""

_GEMV_DISTANCE_BYTES = 4 << 10
"""The same for products of few rows, which wait for memory in any case."""

STRIP_TILES = 4
"""Tiles that are passed on to their end in one call, while they are in L1."""

GEMV_ROWS = 3
"""Up to so many rows a product is bound by the latency of its few sums, which are then split in phases."""

_GEMV_SUMS = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """The register tile of one dtype on one target."""

    dtype: str
    lanes: int
    max_rows: int

    @staticmethod
    def of(target: Target, dtype: str) -> Shape:
        """The tile the target's registers allow."""
        return Shape(dtype, vector_lanes(target, dtype), target.tile_rows)

    @property
    def columns(self) -> int:
        """Columns of a full tile and of a packed panel."""
        return 2 * self.lanes

    @property
    def element(self) -> int:
        """Bytes of one element."""
        return size_of(self.dtype)

    @property
    def panel_row_bytes(self) -> int:
        """Bytes of one k step of a full panel, and of one row of a tile buffer."""
        return self.columns * self.element

    @property
    def tile_bytes(self) -> int:
        """Bytes of a tile buffer."""
        return self.max_rows * self.panel_row_bytes

    @property
    def suffix(self) -> str:
        """`f32` or `f64`."""
        return SUFFIX[self.dtype]

    @property
    def vector(self) -> str:
        """The LLVM type of one machine vector."""
        return vector_of(self.dtype, self.lanes)


def ceil_div(f: Function, a: V, b: V) -> V:
    """ceil(a / b) of non-negative integers."""
    return f.binary("udiv", f.sub(f.add(a, b), int_(1)), b)


@dataclass(frozen=True, slots=True)
class Cut:
    """A run-time cut of `total` items into `parts` (at least 1) runs whose sizes differ by at most one."""

    total: V
    parts: V
    base: V
    extra: V

    @staticmethod
    def of(f: Function, total: V, parts: V) -> Cut:
        """The larger runs come first."""
        return Cut(total, parts, f.binary("udiv", total, parts), f.binary("urem", total, parts))

    def begin(self, f: Function, index: V) -> V:
        """Where run `index` begins."""
        return f.add(f.mul(index, self.base), f.smin(index, self.extra))

    def size(self, f: Function, index: V) -> V:
        """Items of run `index`."""
        return f.add(self.base, f.convert("zext", f.icmp("slt", index, self.extra), "i64"))

    def largest(self, f: Function) -> V:
        """Items of run 0."""
        return f.add(self.base, f.smin(self.extra, int_(1)))


def split(f: Function, total: V, tid: V, threads: V) -> tuple[V, V]:
    """The range [low, high) of `total` items that thread `tid` works on."""
    cut = Cut.of(f, total, threads)
    return cut.begin(f, tid), cut.begin(f, f.add(tid, int_(1)))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the tiles that share one run of B prefetch.

    One tile alone reads B at the speed of memory and looks a fixed distance ahead; several tiles together
    fetch what follows the run, each its part.
    """

    address: V
    step: V
    per_tile: V

    @staticmethod
    def of(f: Function, shape: Shape, tiles: V, few: V, b: V, steps: V, following: V) -> Ahead:
        """For `tiles` tiles that each read `steps` steps from `b` on, after which `following` is read.

        `few` tells that a tile has so few rows that its k is split in phases.
        """
        turn = UNROLL * shape.panel_row_bytes
        lines = ceil_div(f, int_(turn // CACHE_LINE), tiles)
        step = f.mul(lines, int_(CACHE_LINE))
        distance = f.select(few, int_(_GEMV_DISTANCE_BYTES), int_(_DISTANCE_BYTES))
        alone = f.icmp("eq", tiles, int_(1))
        address = f.select(alone, f.gep(b, distance, "i8"), following)
        return Ahead(address, step, f.mul(f.binary("udiv", steps, int_(UNROLL)), step))


def define_pick(module: Module, shape: Shape) -> str:
    """Add `ptr @name(i64 rows, i1 narrow, i1 few)` and all micro-kernels; returns the name.

    `narrow` asks for one vector instead of two, `few` for k in phases (only up to GEMV_ROWS rows).
    """
    name = f"pick_brgemm_{shape.suffix}"
    if module.has(name):
        return name
    params = [("rows", "i64"), ("narrow", "i1"), ("few", "i1")]
    f = Function(module, name, params, "ptr", internal=True, attributes="nounwind noinline")
    rows, narrow, few = f.params
    picked = V("null", "ptr")
    for count in range(1, shape.max_rows + 1):
        kernels = [_micro_kernel(module, shape, count, vectors) for vectors in (2, 1)]
        if count <= GEMV_ROWS:
            split_k = [4 if 4 * count * v <= _GEMV_SUMS else 2 for v in (2, 1)]
            phases = [_micro_kernel(module, shape, count, v, p) for v, p in zip((2, 1), split_k, strict=True)]
            kernels = [f.select(few, p, k) for p, k in zip(phases, kernels, strict=True)]
        kernel = f.select(narrow, kernels[1], kernels[0])
        picked = f.select(f.icmp("eq", rows, int_(count)), kernel, picked)
    f.ret(picked)
    f.finish()
    return name


def _micro_kernel(module: Module, shape: Shape, rows: int, vectors: int, phases: int = 1) -> V:
    name = define(module, MicroKernel(shape.dtype, shape.lanes, rows, vectors, phases))
    return V(f"@{name}", "ptr")


def new_words(f: Function, words: Mapping[int, V], count: int) -> V:
    """An i64 block on the stack; words not given are 0."""
    block = f.alloca("i64", count)
    for index in range(count):
        set_word(f, block, index, words.get(index, int_(0)))
    return block


def set_word(f: Function, words: V, index: int, value: V) -> None:
    """Store into word `index` of an i64 block."""
    f.store(value, f.gep(words, int_(index), "i64"), 8)
