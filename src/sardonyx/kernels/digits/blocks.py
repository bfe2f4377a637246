"""Pixels of blocks of channels cut into digits, as rows of A. Must not know taps, bands or tiles."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import IntEnum
from sardonyx.kernels.digits.cut import FLOATS, INTS, LANES, Cut, is_special, largest_of_each
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.microkernel import hidden, multiples, prefetch
from sardonyx.llvm.vec import Function, Module, V, int_

ROWS = 16
"""Pixels that are cut together."""


class BlockWords(IntEnum):
    """The i64 words of functions that cut blocks of channels; distances are in bytes.

    STEP is between steps of `to`, PLANE between its planes, PITCH between pixels of `from` and BLOCK between
    its blocks. SCALES is an address: of a float a pixel, the first of which is that of the pixel at FIRST of
    `to`, or of the only one, where all are multiplied by FACTOR and SPECIAL tells what is met.
    """

    STEP = 0
    PLANE = 1
    PITCH = 2
    BLOCK = 3
    CHANNELS = 4
    BLOCKS = 5
    SCALES = 6
    FIRST = 7
    FACTOR = 8
    SPECIAL = 9
    NORM = 10
    LOW = 11


_PARAMS = [("to", "ptr"), ("from", "ptr"), ("pixels", "i64"), ("words", "ptr")]


def define_cut_blocks(
    module: Module, shape: MatrixShape, block: int, *, careful: bool, normed: bool = False
) -> str:
    """Add `i64 @name(ptr to, ptr from, i64 pixels, ptr words)`; returns the name.

    `from` holds pixels of `block` channels; in each step of `to`, pixels have the channels of four blocks,
    with zeros behind the last one. Each pixel has a scale. Returns whether anything was infinite or NaN,
    which only a `careful` function cuts; that writes a plane of codes too. A `normed` function cuts what the
    NORM makes of channels.
    """
    assert block == LANES
    name = f"digits_cut_{'normed_' if normed else ''}{shape.tile.name}{'_careful' if careful else ''}"
    if module.has(name):
        return name
    f = Function(module, name, _PARAMS, "i64", internal=True, attributes="nounwind noinline")
    to, source, pixels, words = f.params
    blocks = _Blocks(f, shape, words, careful=careful, normed=normed)
    size = shape.tile.row_bytes
    before = f.sub(f.convert("ptrtoint", to, "i64"), f.word(words, BlockWords.FIRST))
    scales = f.gep(f.word(words, BlockWords.SCALES, "ptr"), f.binary("udiv", before, int_(size // 4)), "i8")
    with f.loop(int_(0), pixels, ROWS, [to, source, scales, int_(0, INTS)]) as group:
        into, out_of, scale, met = group.carried
        left = f.sub(pixels, group.index)
        count = f.smin(left, int_(ROWS))
        largest = blocks.largest(out_of, count)
        factor, own = blocks.cut.factors(largest)
        f.masked_store(own, scale, f.tail_mask(count, LANES))
        f.store(factor, blocks.factors)
        following = f.smax(f.sub(f.smin(left, int_(2 * ROWS)), int_(ROWS)), int_(0))
        blocks.write(into, out_of, count, blocks.factors, int_(1), f.mul(following, blocks.pitch))
        group.next(
            f.gep(into, int_(ROWS * size), "i8"),
            f.gep(out_of, f.mul(blocks.pitch, int_(ROWS)), "i8"),
            f.gep(scale, int_(ROWS), "float"),
            f.smax(met, largest),
        )
    f.ret(is_special(f, group.carried[3]))
    f.finish()
    return name


def define_cut_evenly(
    module: Module, shape: MatrixShape, block: int, *, careful: bool, normed: bool = False
) -> str:
    """Add a function as that of `define_cut_blocks` for pixels that have one FACTOR; returns the name.

    It returns SPECIAL.
    """
    assert block == LANES
    name = f"digits_cut_evenly_{'normed_' if normed else ''}{shape.tile.name}{'_careful' if careful else ''}"
    if not module.has(name):
        f = Function(module, name, _PARAMS, "i64", internal=True, attributes="nounwind noinline")
        to, source, pixels, words = f.params
        blocks = _Blocks(f, shape, words, careful=careful, normed=normed)
        blocks.write(to, source, pixels, f.gep(words, int_(BlockWords.FACTOR), "i64"), int_(0))
        f.ret(f.word(words, BlockWords.SPECIAL))
        f.finish()
    return name


def define_largest_of_blocks(
    module: Module, shape: MatrixShape, block: int, *, careful: bool, normed: bool = False
) -> str:
    """Add `void @name(ptr largest, ptr from, i64 pixels, i64 pitch, ptr words)`; returns the name.

    Raises 16 magnitudes, as bits, at `largest` to those of pixels; of the words BLOCK, CHANNELS and BLOCKS
    are read, and NORM and LOW by a `normed` one. A `careful` function leaves out what is infinite or NaN.
    """
    assert block == LANES
    name = f"digits_largest_{'normed_' if normed else ''}{shape.tile.name}{'_careful' if careful else ''}"
    if module.has(name):
        return name
    params = [("largest", "ptr"), ("from", "ptr"), ("pixels", "i64"), ("pitch", "i64"), ("words", "ptr")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    to, source, pixels, pitch, words = f.params
    blocks = _Blocks(f, shape, words, careful=careful, normed=normed)
    with f.loop(int_(0), blocks.blocks, 1, [source, f.load(to, INTS)]) as each:
        here, found = each.carried
        lanes = blocks.lanes(each.index)
        with f.loop(int_(0), pixels, 1, [here, found]) as pixel:
            at, most = pixel.carried
            most = blocks.cut.larger(most, blocks.read(at, lanes))
            pixel.next(f.gep(at, pitch, "i8"), most)
        each.next(f.gep(here, blocks.far, "i8"), pixel.carried[1])
    f.store(each.carried[1], to)
    f.ret()
    f.finish()
    return name


def set_scale(f: Function, largest: V, words: V) -> None:
    """Set FACTOR, SPECIAL and the scale at SCALES for all that these 16 magnitudes are the largest of."""
    found = f.load(largest, INTS)
    most = f.splat(f.call(f"llvm.vector.reduce.smax.v{LANES}i32", "i32", found), LANES)
    factor, scale = Cut(f, careful=False).factors(most)
    f.store(f.extract(factor, 0), f.gep(words, int_(BlockWords.FACTOR), "i64"), 8)
    f.store(f.extract(scale, 0), f.word(words, BlockWords.SCALES, "ptr"))
    f.store(is_special(f, found), f.gep(words, int_(BlockWords.SPECIAL), "i64"), 8)


@dataclass(frozen=True, slots=True)
class _Lanes:
    """Which lanes of a block are channels, and by what these are scaled and shifted, if they are."""

    mask: V
    scale: V | None = None
    shift: V | None = None


class _Blocks:
    """The loops over the blocks of a few pixels."""

    def __init__(
        self, f: Function, shape: MatrixShape, words: V, *, careful: bool, normed: bool = False
    ) -> None:
        self.f, self.shape, self.cut, self.normed = f, shape, Cut(f, careful=careful), normed
        self.norm, self.low = f.word(words, BlockWords.NORM, "ptr"), f.word(words, BlockWords.LOW, "float")
        self.step, self.plane, self.pitch, self.far, self.channels, self.blocks = (
            f.word(words, word) for word in BlockWords if word < BlockWords.SCALES
        )
        self.factors, self.magnitudes = f.alloca("float", ROWS), f.alloca("i32", ROWS)

    def lanes(self, block: V) -> _Lanes:
        """The lanes of a block; behind the last none are channels."""
        f = self.f
        mask = f.tail_mask(f.sub(self.channels, f.mul(block, int_(LANES))), LANES)
        if not self.normed:
            return _Lanes(mask)
        at = f.gep(self.norm, f.mul(block, int_(2 * LANES)), "float")
        return _Lanes(mask, *(f.masked_load(f.gep(at, int_(n), "float"), FLOATS, mask) for n in (0, LANES)))

    def read(self, source: V, lanes: _Lanes) -> V:
        """The channels of a block of a pixel, or what is made of them."""
        f = self.f
        x = f.masked_load(source, FLOATS, lanes.mask)
        if lanes.scale is None or lanes.shift is None:
            return x
        low = f.splat(self.low, LANES)
        x = f.fma(x, lanes.scale, lanes.shift)
        return f.select(f.fcmp("ogt", low, x), low, x)

    def largest(self, source: V, count: V) -> V:
        """The largest magnitudes of all blocks of `count` pixels, at most ROWS."""
        f = self.f
        whole, part, done = (f.new_label(hint) for hint in ("whole", "part", "done"))
        f.branch(f.icmp("eq", count, int_(ROWS)), whole, part)
        f.start(whole)
        f.store(self._largest_together(source), self.magnitudes)
        f.jump(done)
        f.start(part)
        with f.loop(int_(0), count, 1, [source]) as pixel:
            found = f.call(f"llvm.vector.reduce.smax.v{LANES}i32", "i32", self._largest_of(pixel.carried[0]))
            f.store(found, f.gep(self.magnitudes, pixel.index, "i32"))
            pixel.next(f.gep(pixel.carried[0], self.pitch, "i8"))
        f.jump(done)
        f.start(done)
        return f.masked_load(self.magnitudes, INTS, f.tail_mask(count, LANES))

    def _largest_of(self, source: V) -> V:
        """The largest magnitude in each lane of a pixel."""
        f = self.f
        with f.loop(int_(0), self.blocks, 1, [source, int_(0, INTS)]) as block:
            here, found = block.carried
            found = self.cut.larger(found, self.read(here, self.lanes(block.index)))
            block.next(f.gep(here, self.far, "i8"), found)
        return block.carried[1]

    def _largest_together(self, source: V) -> V:
        """The largest magnitudes of ROWS pixels."""
        f = self.f
        distances = multiples(f, self.pitch)
        group = f.mul(self.pitch, int_(len(distances)))
        with f.loop(int_(0), self.blocks, 1, [source, *[int_(0, INTS)] * ROWS]) as block:
            first, *found = block.carried
            here, lanes = first, self.lanes(block.index)
            for n in range(ROWS):
                if n and n % len(distances) == 0:
                    here = f.gep(hidden(f, here), group, "i8")
                distance = distances[n % len(distances)]
                x = self.read(f.gep(here, distance, "i8"), lanes)
                found[n] = self.cut.larger(found[n], x)
            block.next(f.gep(first, self.far, "i8"), *found)
        return largest_of_each(f, block.carried[1:])

    def write(self, to: V, source: V, count: V, factors: V, apart: V, beyond: V | None = None) -> None:
        """The digits of all steps of `count` pixels, whose factors are `apart` floats apart.

        What lies so many bytes beyond each pixel is asked for.
        """
        f, ways = self.f, self.shape.abreast
        last = f.sub(self.blocks, int_(1))
        with f.loop(int_(0), self.blocks, ways, [to]) as step:
            (into,) = step.carried
            numbers = [f.add(step.index, int_(n)) for n in range(ways)]
            lanes = [self.lanes(number) for number in numbers]
            begin = [f.gep(source, f.mul(self.far, f.smin(n, last)), "i8") for n in numbers]
            with f.loop(int_(0), count, 1, [into, factors, *begin]) as pixel:
                there, own, *here = pixel.carried
                x = [self.read(p, own_lanes) for p, own_lanes in zip(here, lanes, strict=True)]
                if beyond:
                    for address in here:
                        prefetch(f, f.gep(address, beyond, "i8"), 1)
                factor = f.splat(f.load(own, "float"), LANES)
                for number, plane in enumerate(self.cut.planes(x, factor)):
                    f.store(plane, f.gep(there, f.mul(self.plane, int_(number)), "i8"))
                there = f.gep(there, int_(self.shape.tile.row_bytes), "i8")
                own = f.gep(own, apart, "float")
                pixel.next(there, own, *(f.gep(p, self.pitch, "i8") for p in here))
            step.next(f.gep(into, self.step, "i8"))
