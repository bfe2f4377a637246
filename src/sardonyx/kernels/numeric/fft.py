"""Discrete Fourier transforms of any length, in double precision.

A power of two takes Stockham's stages; other lengths are a convolution of that size (Bluestein). Must not
know ONNX.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum, auto

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.numeric.fft_stages import Complex, define_stages, write_table
from sardonyx.kernels.share import split
from sardonyx.llvm.convert import compute_type
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_SCRATCH_PER_ELEMENT = 8 * 30
"""Bytes: three complex buffers and half a table of up to 4 elements each, and a complex chirp."""


class Word(IntEnum):
    """Argument words: X [LINES, GIVEN, parts], Y [LINES, BINS, parts] without gaps; LENGTH of a transform."""

    X = 0
    Y = auto()
    LINES = auto()
    GIVEN = auto()
    LENGTH = auto()
    BINS = auto()
    WORDS = auto()


@dataclass(frozen=True, slots=True)
class Transform:
    """What a kernel is generated for.

    `parts` of X: 1 real, 2 complex. `real`: the signal [LINES, BINS] of a one-sided spectrum.
    """

    dtype: DType
    parts: int
    inverse: bool
    real: bool

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        way = "real" if self.real else "inverse" if self.inverse else "forward"
        return f"sdx_fft_{self.dtype.name}_{self.parts}_{way}"


def fft_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that transforms all lines."""
    target = goal.target
    root, place = group.root, group.place
    assert place is not None
    (x,) = root.args
    source, length = places[x.id], root.attrs["length"]
    parts = x.shape[-1]
    assert isinstance(parts, int)
    transform = Transform(x.dtype, parts, bool(root.attrs["inverse"]), bool(root.attrs["real"]))
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.Y: Address.of(place),
        Word.LINES: dims.product(x.shape[:-2]),
        Word.GIVEN: x.shape[-2],
        Word.LENGTH: length,
        Word.BINS: root.shape[-2],
    }
    call = NativeCall(
        transform.symbol,
        in_order(words, Word.WORDS),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=root.size * 40,
        scratch_bytes=length * _SCRATCH_PER_ELEMENT + 1024,
        kind="fft",
        plan=f"{words[Word.LINES]} transforms of {length}",
    )
    yield call, {transform.symbol: lambda: fft_ir(transform, target)}


def fft_ir(transform: Transform, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    stages = define_stages(module, transform.symbol, target)
    _Writer(module, transform, target, stages).write()
    return module.text()


class _Writer:
    """Writes the kernel: tables once a thread, then line after line."""

    def __init__(self, module: Module, transform: Transform, target: Target, stages: str) -> None:
        f = self.f = Function(module, transform.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.transform, self.target, self.stages = transform, target, stages
        args, self.ctx = f.params
        self.x, self.y = (f.word(args, w, "ptr") for w in (Word.X, Word.Y))
        self.lines, self.given, self.length, self.bins = (
            f.word(args, w) for w in (Word.LINES, Word.GIVEN, Word.LENGTH, Word.BINS)
        )
        self.access = Access(f, transform.dtype, target)

    def write(self) -> None:
        """Add the function to its module."""
        f = self.f
        self._lay_out()
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        some = f.icmp("sgt", self.length, int_(0))
        low, high = split(f, f.select(some, self.lines, int_(0)), tid, threads)
        with f.when(f.icmp("slt", low, high)):
            write_table(f, self.target, self.table, self.half, self.size)
            with f.when(self.is_chirped):
                self._prepare_chirp()
            with f.loop(low, high) as line:
                self._load(line.index)
                self._store(line.index, self._transformed())
        f.ret()
        f.finish()

    def _lay_out(self) -> None:
        """The transformed size, a power of two, and where everything is in scratch."""
        f = self.f
        power = f.icmp("eq", f.binary("and", self.length, f.sub(self.length, int_(1))), int_(0))
        self.is_chirped = f.binary("xor", power, int_(1, "i1"))
        least = f.smax(f.sub(f.mul(self.length, int_(2)), int_(2)), int_(1))
        zeros = f.call("llvm.ctlz.i64", "i64", least, int_(0, "i1"))
        padded = f.binary("shl", int_(1), f.sub(int_(64), zeros))
        self.size = f.select(power, self.length, padded)
        at = f.word(self.ctx, Context.SCRATCH, "ptr")
        buffers = []
        for _ in range(3):
            buffers.append(Complex(f, at, self.size))
            at = f.gep(at, f.mul(self.size, int_(2)), "double")
        self.a, self.b, self.filter = buffers
        self.half = f.binary("lshr", self.size, int_(1))
        self.table = Complex(f, at, self.half)
        self.chirp = Complex(f, f.gep(at, self.size, "double"), self.length)

    def _stages(self, a: Complex, b: Complex) -> Complex:
        """Transform the content of one buffer with the help of the other; the result is in either."""
        f = self.f
        return Complex(f, f.call(self.stages, "ptr", a.at, b.at, self.table.at, self.size), self.size)

    def _prepare_chirp(self) -> None:
        """Chirp[k] = e^(-i pi k^2 / n), and the transform of its conjugate, wrapped around."""
        f = self.f
        double_length = f.mul(self.length, int_(2))
        number = Lanes(f, f.convert("sitofp", self.length, "double"))
        self._clear(self.a)
        with f.loop(int_(0), self.length) as k:
            square = f.binary("urem", f.mul(k.index, k.index), double_length)
            angle = Lanes(f, f.convert("sitofp", square, "double")) * math.pi / number
            self.chirp.put_angle(k.index, angle, self.target)
            re, im = self.chirp.get(k.index)
            self.a.put(k.index, re, -im)
            mirrored = f.select(f.icmp("eq", k.index, int_(0)), int_(0), f.sub(self.size, k.index))
            self.a.put(mirrored, re, -im)
        done = self._stages(self.a, self.b)
        with f.loop(int_(0), self.size) as k:
            self.filter.put(k.index, *done.get(k.index))

    def _clear(self, buffer: Complex) -> None:
        f = self.f
        zero = Lanes(f, float_(0.0, "double"))
        with f.loop(int_(0), self.size) as k:
            buffer.put(k.index, zero, zero)

    # ---- one line

    def _load(self, line: V) -> None:
        """Fill buffer a with a line, cut or zero-padded; conjugated for an inverse."""
        f, transform = self.f, self.transform
        self._clear(self.a)
        first = f.mul(line, self.given)
        bins = f.add(f.binary("lshr", self.length, int_(1)), int_(1)) if transform.real else self.length
        with f.loop(int_(0), f.smin(self.given, bins)) as k:
            re, im = self._element(f.add(first, k.index))
            if transform.real:
                mirror = f.sub(self.length, k.index)
                own = f.binary("or", f.icmp("eq", k.index, int_(0)), f.icmp("eq", mirror, k.index))
                im = Lanes(f, own).choose(im.like(0.0), im)
                with f.when(f.icmp("sgt", mirror, k.index)), f.when(f.icmp("sgt", k.index, int_(0))):
                    self.a.put(mirror, re, im)
            self.a.put(k.index, re, -im if transform.inverse else im)

    def _element(self, at: V) -> tuple[Lanes, Lanes]:
        f, parts = self.f, self.transform.parts
        values = [self.access.load(self.x, f.add(f.mul(at, int_(parts)), int_(n))) for n in range(parts)]
        wide = [Lanes(f, f.convert("fpext", v, "double")) for v in values]
        return wide[0], wide[1] if parts == 2 else wide[0].like(0.0)

    def _transformed(self) -> Complex:
        """Where the transform of buffer a is."""
        f = self.f
        slot = f.alloca("ptr", 1)
        with f.when(self.is_chirped):
            self._multiply(self.a, self.chirp, self.length, conjugate=False)
            spectrum = self._stages(self.a, self.b)
            self._multiply(spectrum, self.filter, self.size, conjugate=True)
            other = f.select(f.icmp("eq", spectrum.at, self.a.at), self.b.at, self.a.at)
            back = self._stages(spectrum, Complex(f, other, self.size))
            scale = 1.0 / Lanes(f, f.convert("sitofp", self.size, "double"))
            with f.loop(int_(0), self.length) as k:
                re, im = back.get(k.index)
                self.a.put(k.index, re * scale, -im * scale)
            self._multiply(self.a, self.chirp, self.length, conjugate=False)
            f.store(self.a.at, slot)
        with f.when(f.binary("xor", self.is_chirped, int_(1, "i1"))):
            f.store(self._stages(self.a, self.b).at, slot)
        return Complex(f, f.load(slot, "ptr"), self.size)

    def _multiply(self, a: Complex, b: Complex, count: V, *, conjugate: bool) -> None:
        """a = a * b, or its conjugate."""
        with self.f.loop(int_(0), count) as k:
            (p, q), (r, s) = a.get(k.index), b.get(k.index)
            im = p * s + q * r
            a.put(k.index, p * r - q * s, -im if conjugate else im)

    def _store(self, line: V, spectrum: Complex) -> None:
        f, transform = self.f, self.transform
        scale = Lanes(f, float_(1.0, "double"))
        if transform.inverse:
            scale = scale / Lanes(f, f.convert("sitofp", self.length, "double"))
        first = f.mul(line, self.bins)
        parts = 1 if transform.real else 2
        with f.loop(int_(0), self.bins) as k:
            re, im = spectrum.get(k.index)
            at = f.mul(f.add(first, k.index), int_(parts))
            values = (re * scale, -im * scale if transform.inverse else im * scale)
            for part, value in enumerate(values[:parts]):
                stored = value.v
                if transform.dtype is not dt.F64:
                    stored = f.convert("fptrunc", stored, compute_type(transform.dtype))
                self.access.store(stored, self.y, f.add(at, int_(part)))
