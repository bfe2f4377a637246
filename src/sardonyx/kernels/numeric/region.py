"""Pooling over regions given as data: roi_align and max_roi_pool.

Threads share the blocks of channels of all regions. Coordinates are doubles. Must not know ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, auto

from sardonyx.base import dtype as dt
from sardonyx.base.abi import Context, number_bits
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.numeric.region_lines import Line, whole
from sardonyx.kernels.numeric.region_mean import Means, mean_bytes
from sardonyx.kernels.share import ceil_div, split
from sardonyx.llvm import convert
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_BOUNDS = 1
_CHANNELS = 16
"""Channels side by side: they share the places and weights of a sample."""
_MEAN_CHANNELS = 64
"""Channels that share the weights of means."""


class Word(IntEnum):
    """Argument words.

    X [IMAGES, CHANNELS, HEIGHT, WIDTH] and Y [REGIONS, CHANNELS, ROWS, COLUMNS] without gaps; ROIS [REGIONS,
    4 or 5]; BATCH [REGIONS], the image of each one, or 0 where a region begins with it. SCALE and OFFSET are
    doubles, RATIO the samples of a cell along an axis, or 0 for as many as it has pixels.
    """

    X = 0
    ROIS = auto()
    BATCH = auto()
    Y = auto()
    IMAGES = auto()
    CHANNELS = auto()
    HEIGHT = auto()
    WIDTH = auto()
    REGIONS = auto()
    ROWS = auto()
    COLUMNS = auto()
    SCALE = auto()
    OFFSET = auto()
    RATIO = auto()
    WORDS = auto()


_ADDRESSES = (Word.X, Word.ROIS, Word.BATCH, Word.Y)
_REALS = (Word.SCALE, Word.OFFSET)


@dataclass(frozen=True, slots=True)
class Pooling:
    """What a kernel is generated for; `mode`: avg or max of interpolated samples, or pixels (the maximum)."""

    mode: str
    dtype: DType
    rois: DType
    batch: DType
    fixed_offset: bool

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        types = f"{self.dtype.name}_{self.rois.name}_{self.batch.name}"
        return f"sdx_region_{self.mode}_{types}{'' if self.fixed_offset else '_shifted'}"


def region_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that pools all regions."""
    target = goal.target
    root, place = group.root, group.place
    assert place is not None
    attrs = root.attrs
    x, rois, *rest = root.args
    aligned = root.prim == "roi_align"
    offset = float(attrs["offset"]) if aligned else 0.0
    batch = rest[0].dtype if rest else rois.dtype
    pooling = Pooling(attrs["mode"] if aligned else "pixels", x.dtype, rois.dtype, batch, offset == 0)
    words: dict[int, Argument] = {}
    for word, value in zip(_ADDRESSES, (x, rois, *rest), strict=False):
        words[word] = Address.of(places[value.id])
    words[Word.Y] = Address.of(place)
    words |= dict(zip((Word.IMAGES, Word.CHANNELS, Word.HEIGHT, Word.WIDTH), x.shape, strict=True))
    words |= {Word.REGIONS: rois.shape[0], Word.ROWS: attrs["pooled"][0], Word.COLUMNS: attrs["pooled"][1]}
    words |= {
        Word.SCALE: number_bits(float(attrs["scale"]), dt.F64),
        Word.OFFSET: number_bits(offset, dt.F64),
    }
    words[Word.RATIO] = max(0, attrs["ratio"]) if aligned else 0
    call = NativeCall(
        pooling.symbol,
        in_order(words, Word.WORDS),
        tuple(places[v.id].storage for v in root.args),
        (place.storage,),
        root.origins,
        work=root.size * 64,
        scratch_bytes=mean_bytes(target, x.shape[2:], attrs["pooled"]) if pooling.mode == "avg" else 0,
        kind="region",
        plan=f"{rois.shape[0]} regions as {attrs['pooled'][0]} x {attrs['pooled'][1]} cells",
    )
    yield call, {pooling.symbol: lambda: region_ir(pooling, target)}


def region_ir(pooling: Pooling, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Writer(module, pooling, target).write()
    return module.text()


@dataclass(frozen=True, slots=True)
class _Block:
    """The planes of some channels of the image of a region; missing ones repeat the last one."""

    planes: tuple[V, ...]
    first: V
    count: V


class _Writer:
    """Writes the kernel."""

    def __init__(self, module: Module, pooling: Pooling, target: Target) -> None:
        f = self.f = Function(module, pooling.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.pooling, self.target = pooling, target
        args, self.ctx = f.params
        self.word: dict[Word, V] = {}
        for w in Word:
            if w is not Word.WORDS:
                type_ = "ptr" if w in _ADDRESSES else "double" if w in _REALS else "i64"
                self.word[w] = f.word(args, w, type_)
        self.x, self.rois, self.batch = (
            Access(f, d, target) for d in (pooling.dtype, pooling.rois, pooling.batch)
        )

    def write(self) -> None:
        """Add the function to its module."""
        f, word = self.f, self.word
        channels = _MEAN_CHANNELS if self.pooling.mode == "avg" else _CHANNELS
        blocks = ceil_div(f, word[Word.CHANNELS], int_(channels))
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        sides = 5 if self.pooling.mode == "pixels" else 4
        with f.loop(*split(f, f.mul(word[Word.REGIONS], blocks), tid, threads)) as loop:
            region, block = f.binary("udiv", loop.index, blocks), f.binary("urem", loop.index, blocks)
            first = f.mul(region, int_(sides))
            numbers = [
                self._real(self.rois.load(word[Word.ROIS], f.add(first, int_(n)))) for n in range(sides)
            ]
            image = self._image(region, numbers)
            known = f.icmp("ult", image, word[Word.IMAGES])
            failing = f.binary("xor", known, int_(1, "i1"))
            with f.when(failing):
                f.call("sdx_fail", "void", self.ctx, int_(_BOUNDS), image, word[Word.IMAGES])
            with f.when(known):
                if self.pooling.mode == "avg":
                    self._means(image, region, f.mul(block, int_(channels)), self._lines(numbers))
                else:
                    self._cells(self._block(image, region, block), numbers[-4:])
        f.ret()
        f.finish()

    def _real(self, value: V) -> Lanes:
        f = self.f
        return Lanes(
            f, convert.cast(f, self.target, value, dt.F32, dt.F64) if value.type == "float" else value
        )

    def _image(self, region: V, numbers: list[Lanes]) -> V:
        f = self.f
        if self.pooling.mode == "pixels":
            return whole(numbers[0])
        number = self.batch.load(self.word[Word.BATCH], region)
        return convert.cast(f, self.target, number, self.pooling.batch, dt.I64)

    def _block(self, image: V, region: V, block: V) -> _Block:
        f, word = self.f, self.word
        channel = f.mul(block, int_(_CHANNELS))
        left = f.sub(word[Word.CHANNELS], channel)
        pixels = f.mul(word[Word.HEIGHT], word[Word.WIDTH])
        planes = []
        for n in range(_CHANNELS):
            own = f.add(channel, f.smin(int_(n), f.sub(left, int_(1))))
            plane = f.add(f.mul(image, word[Word.CHANNELS]), own)
            planes.append(f.gep(word[Word.X], f.mul(plane, pixels), self.x.plain))
        cells = f.mul(word[Word.ROWS], word[Word.COLUMNS])
        first = f.mul(f.add(f.mul(region, word[Word.CHANNELS]), channel), cells)
        return _Block(tuple(planes), first, f.smin(left, int_(_CHANNELS)))

    def _cells(self, block: _Block, sides: list[Lanes]) -> None:
        f, word = self.f, self.word
        measure = self._pixels if self.pooling.mode == "pixels" else self._samples
        cell = measure(block, sides)
        with f.loop(int_(0), word[Word.ROWS]) as row, f.loop(int_(0), word[Word.COLUMNS]) as column:
            values = cell(row.index, column.index)
            at = f.add(block.first, f.add(f.mul(row.index, word[Word.COLUMNS]), column.index))
            for n, value in enumerate(values):
                with f.when(f.icmp("slt", int_(n), block.count)):
                    stored = value if self.pooling.dtype is dt.F64 else f.convert("fptrunc", value, "float")
                    self.x.store(stored, word[Word.Y], at)
                at = f.add(at, f.mul(word[Word.ROWS], word[Word.COLUMNS]))

    # ---- interpolated samples

    def _lines(self, sides: list[Lanes]) -> tuple[Line, Line]:
        """Where the samples of roi_align lie, down and across."""
        f, word = self.f, self.word
        scale, offset = Lanes(f, word[Word.SCALE]), Lanes(f, word[Word.OFFSET])
        x1, y1, x2, y2 = (side * scale - offset for side in sides)
        wide, tall = x2 - x1, y2 - y1
        if self.pooling.fixed_offset:
            wide, tall = wide.at_least(1.0), tall.at_least(1.0)
        return (
            Line.of(y1, tall, word[Word.ROWS], word[Word.RATIO], word[Word.HEIGHT]),
            Line.of(x1, wide, word[Word.COLUMNS], word[Word.RATIO], word[Word.WIDTH]),
        )

    def _means(self, image: V, region: V, channel: V, lines: tuple[Line, Line]) -> None:
        """All cells of some channels of a region."""
        f, word = self.f, self.word
        count = f.smin(f.sub(word[Word.CHANNELS], channel), int_(_MEAN_CHANNELS))
        plane = f.add(f.mul(image, word[Word.CHANNELS]), channel)
        first = f.add(f.mul(region, word[Word.CHANNELS]), channel)
        pixels, cells = f.mul(word[Word.HEIGHT], word[Word.WIDTH]), f.mul(word[Word.ROWS], word[Word.COLUMNS])
        means = Means(self.x, f.word(self.ctx, Context.SCRATCH, "ptr"), lines)
        at = f.gep(word[Word.X], f.mul(plane, pixels), self.x.plain)
        means.write(at, count, word[Word.Y], f.mul(first, cells))

    def _samples(self, block: _Block, sides: list[Lanes]) -> Callable[[V, V], list[V]]:
        """How to compute a cell of roi_align by its largest part of a sample."""
        lines = self._lines(sides)
        return lambda row, column: self._sample_cell(block, lines, (row, column))

    def _sample_cell(self, block: _Block, lines: tuple[Line, Line], cell: tuple[V, V]) -> list[V]:
        f = self.f
        down, across = lines[0].count, lines[1].count
        some = f.icmp("sgt", f.smin(down, across), int_(0))
        (top, bottom), (left, right) = (line.near(n) for line, n in zip(lines, cell, strict=True))
        seen, every = f.mul(f.sub(bottom, top), f.sub(right, left)), f.mul(down, across)
        # Samples far outside, which are left out, count as 0.
        least = f.select(f.icmp("eq", seen, every), float_(float("-inf"), "double"), float_(0.0, "double"))
        with f.loop(top, f.select(some, bottom, top), 1, [least] * _CHANNELS) as y:
            low_y = lines[0].sample(cell[0], y.index)
            with f.loop(left, right, 1, y.carried) as x:
                low_x = lines[1].sample(cell[1], x.index)
                x.next(*self._sample(block, low_y, low_x, x.carried))
            y.next(*x.carried)
        return [f.select(some, v, float_(0.0, "double")) for v in y.carried]

    def _sample(
        self, block: _Block, y: tuple[V, V, Lanes, V], x: tuple[V, V, Lanes, V], totals: list[V]
    ) -> list[V]:
        f, width = self.f, self.word[Word.WIDTH]
        inside = Lanes(f, f.binary("and", y[3], x[3]))
        corners = []
        for row, wy in ((y[0], 1.0 - y[2]), (y[1], y[2])):
            for column, wx in ((x[0], 1.0 - x[2]), (x[1], x[2])):
                weight = inside.choose(wy * wx, 0.0)
                heavy = Lanes(f, f.fcmp("une", weight.v, float_(0.0, "double")))
                corners.append((f.add(f.mul(row, width), column), weight, heavy))
        result = []
        for plane, total in zip(block.planes, totals, strict=True):
            for at, weight, heavy in corners:
                part = heavy.choose(self._real(self.x.load(plane, at)) * weight, 0.0)
                total = self._larger(total, part.v)
            result.append(total)
        return result

    def _larger(self, old: V, new: V) -> V:
        """The larger of two, or the first NaN: it is not at most as large as any number."""
        f = self.f
        kept = f.binary("or", f.fcmp("ole", new, old), f.fcmp("uno", old, old))
        return f.select(kept, old, new)

    # ---- pixels

    def _pixels(self, block: _Block, sides: list[Lanes]) -> Callable[[V, V], list[V]]:
        """How to compute a cell of max_roi_pool."""
        f, word = self.f, self.word
        x1, y1, x2, y2 = (self._pixel(side * Lanes(f, word[Word.SCALE])) for side in sides)
        lines = []
        for low, high, cells, size in (
            (y1, y2, word[Word.ROWS], word[Word.HEIGHT]),
            (x1, x2, word[Word.COLUMNS], word[Word.WIDTH]),
        ):
            extent = (high - low + 1.0).at_least(1.0)
            lines.append((low, extent, Lanes(f, f.convert("sitofp", cells, "double")), size))
        return lambda row, column: self._pixel_cell(block, lines, (row, column))

    def _pixel(self, x: Lanes) -> Lanes:
        """A coordinate in the type of the regions, then the nearest integer, halves away from 0."""
        if self.pooling.rois is not dt.F64:
            x = x.convert("fptrunc", "float").convert("fpext", "double")
        return (x.abs() + 0.5).unary("floor").copysign(x)

    def _pixel_cell(
        self, block: _Block, lines: list[tuple[Lanes, Lanes, Lanes, V]], cell: tuple[V, V]
    ) -> list[V]:
        f, width = self.f, self.word[Word.WIDTH]
        bounds = []
        for (low, extent, cells, size), number in zip(lines, cell, strict=True):
            place = Lanes(f, f.convert("sitofp", number, "double"))
            # Quotients of whole numbers, so that an end on a pixel is not rounded beyond it.
            first, last = place * extent / cells, (place + 1.0) * extent / cells
            ends = (first.unary("floor") + low, last.unary("ceil") + low)
            bounds += [f.smin(f.smax(whole(end), int_(0)), size) for end in ends]
        top, bottom, left, right = bounds
        some = f.binary("and", f.icmp("slt", top, bottom), f.icmp("slt", left, right))
        start = [float_(float("-inf"), "double")] * _CHANNELS
        with f.loop(top, bottom, 1, start) as y, f.loop(left, right, 1, y.carried) as x:
            at = f.add(f.mul(y.index, width), x.index)
            values = [self._real(self.x.load(plane, at)) for plane in block.planes]
            x.next(*(self._larger(old, v.v) for old, v in zip(x.carried, values, strict=True)))
            y.next(*x.carried)
        return [f.select(some, total, float_(0.0, "double")) for total in y.carried]
