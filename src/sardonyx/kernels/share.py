"""How contraction kernels cut rows into register tiles, share work between threads and hand tiles over.

Decides balance and calling conventions inside a kernel; must not know what the rows and columns mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sardonyx.base.target import Prefetch, Target
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, UNROLL, MicroKernel, Plan, define, vector_lanes
from sardonyx.llvm.vec import Function, Module, V, int_, size_of, vector_of

SUFFIX = {"float": "f32", "double": "f64"}
"""How a kernel's symbol ends, by element type."""

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
    prefetch: Prefetch

    @staticmethod
    def of(target: Target, dtype: str) -> Shape:
        """The tile the target's registers allow."""
        return Shape(dtype, vector_lanes(target, dtype), target.tile_rows, target.prefetch)

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
class Run:
    """A stretch of packed B that each of some tiles reads from begin to end."""

    begin: V
    size_bytes: V

    def end(self, f: Function) -> V:
        """The address behind it."""
        return f.gep(self.begin, self.size_bytes, "i8")


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the tiles that share one run of B prefetch: never anything but B that is still to be read.

    A lone tile reads B at the speed of memory and looks a fixed distance ahead, in its run and beyond;
    several tiles together fetch one run that follows, each its part. Where nothing follows, they ask for the
    end of their own run again and again, which costs next to nothing.
    """

    address: V
    last: V
    step: V
    per_tile: V

    @staticmethod
    def of(f: Function, shape: Shape, tiles: V, few: V, width: V, run: Run, following: Run) -> Ahead:
        """For `tiles` tiles that each read `run`, `width` elements a step, before `following` is read.

        `few` tells that a tile has so few rows that its k is split in phases.
        """
        turn = f.mul(width, int_(UNROLL * shape.element))
        lines = ceil_div(f, f.binary("udiv", turn, int_(CACHE_LINE)), tiles)
        step = f.mul(lines, int_(CACHE_LINE))
        turns = f.binary("udiv", run.size_bytes, turn)
        run_end, far = run.end(f), following.end(f)
        distance = f.select(few, int_(shape.prefetch.few_bytes), int_(shape.prefetch.alone_bytes))
        lone_end = f.select(f.icmp("eq", following.begin, run_end), far, run_end)
        near = f.gep(following.begin, f.smin(following.size_bytes, run.size_bytes), "i8")
        follows = f.icmp("sge", following.size_bytes, turn)
        alone = f.icmp("eq", tiles, int_(1))
        end = f.select(alone, lone_end, f.select(follows, near, run_end))
        last = f.gep(end, f.sub(int_(0), turn), "i8")
        begin = f.select(alone, f.gep(run.begin, distance, "i8"), f.select(follows, following.begin, last))
        return Ahead(begin, last, step, f.mul(turns, step))

    @property
    def words(self) -> dict[int, V]:
        """The words of a plan."""
        return {Plan.AHEAD_STEP: self.step, Plan.AHEAD_LAST: self.last}


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
    name = define(module, MicroKernel(shape.dtype, shape.lanes, rows, vectors, phases, shape.prefetch.level))
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
