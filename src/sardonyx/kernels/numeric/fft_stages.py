"""Stockham's stages of a Fourier transform whose size is a power of two, and its table of roots of unity."""

from __future__ import annotations

import math

from sardonyx.base.target import Target
from sardonyx.kernels.tiles.shape import vector_lanes
from sardonyx.llvm import trig
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_


class Complex:
    """An array of complex doubles: all real parts, then, `size` later, all imaginary ones."""

    def __init__(self, f: Function, at: V, size: V) -> None:
        self.f, self.at, self.imaginary = f, at, f.gep(at, size, "double")

    def get(self, index: V, type_: str = "double") -> tuple[Lanes, Lanes]:
        """The element, or a vector of elements, from `index` on."""
        f = self.f
        re, im = (f.load(f.gep(p, index, "double"), type_) for p in (self.at, self.imaginary))
        return Lanes(f, re), Lanes(f, im)

    def put(self, index: V, re: Lanes, im: Lanes) -> None:
        """Store an element, or a vector of them, from `index` on."""
        for pointer, part in ((self.at, re), (self.imaginary, im)):
            self.f.store(part.v, self.f.gep(pointer, index, "double"))

    def put_angle(self, index: V, angle: Lanes, target: Target) -> None:
        """Store e^(-i angle)."""
        self.put(index, trig.cos(angle, target), -trig.sin(angle, target))


def write_table(f: Function, target: Target, table: Complex, count: V, size: V) -> None:
    """table[k] = e^(-2 pi i k / size) for k below `count`."""
    number = Lanes(f, f.convert("sitofp", size, "double"))
    with f.loop(int_(0), count) as k:
        angle = Lanes(f, f.convert("sitofp", k.index, "double")) * (2 * math.pi) / number
        table.put_angle(k.index, angle, target)


def define_stages(module: Module, prefix: str, target: Target) -> str:
    """Add `ptr @name(ptr a, ptr b, ptr table, i64 size)`; returns its name.

    It transforms the complex array a of a power of two and returns where the result is: a or b. The table has
    the roots of unity of the size.
    """
    name = f"{prefix}_stages"
    params = [("a", "ptr"), ("b", "ptr"), ("table", "ptr"), ("size", "i64")]
    f = Function(module, name, params, "ptr", internal=True, attributes="nounwind noinline")
    a, b, table, size = f.params
    lanes = vector_lanes(target, "double")
    half = f.binary("lshr", size, int_(1))
    roots = Complex(f, table, half)

    def unfinished(groups: V, *_: V) -> V:
        return f.icmp("sgt", groups, int_(0))

    # Each stage halves the number of groups and doubles the length of the runs that lie side by side.
    with f.repeat(unfinished, [half, int_(1), a, b]) as stage:
        groups, run, source, result = stage.carried
        wide, narrow, done = (f.new_label(label) for label in ("wide", "narrow", "done"))
        f.branch(f.icmp("sge", run, int_(lanes)), wide, narrow)
        for label, width in ((wide, lanes), (narrow, 1)):
            f.start(label)
            _stage(f, (Complex(f, source, size), Complex(f, result, size)), roots, groups, run, half, width)
            f.jump(done)
        f.start(done)
        following = f.binary("lshr", groups, int_(1))
        stage.next(following, f.mul(run, int_(2)), result, source)
    f.ret(stage.carried[2])
    f.finish()
    return name


def _stage(
    f: Function, buffers: tuple[Complex, Complex], roots: Complex, groups: V, run: V, half: V, lanes: int
) -> None:
    """Butterflies of run elements for each group."""
    source, result = buffers
    type_ = vector_of("double", lanes)
    with f.loop(int_(0), groups) as group:
        first = f.mul(group.index, run)
        re, im = (Lanes(f, f.splat(part.v, lanes)) for part in roots.get(first))
        with f.loop(int_(0), run, lanes) as k:
            low = f.add(first, k.index)
            (p, q), (r, s) = source.get(low, type_), source.get(f.add(low, half), type_)
            to = f.add(f.add(first, first), k.index)
            result.put(to, p + r, q + s)
            x, y = p - r, q - s
            result.put(f.add(to, run), x * re - y * im, x * im + y * re)
