"""Both ends of ranges of floats, of one row after the other: each number is read once.

Maxima of machines lose NaN, so numbers times 0 are added up beside them: where that sum is NaN, a row is
looked at again. Must not know ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto

from sardonyx.base import dim as dims
from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.emit.shares import Shares
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.share import my_runs
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_SYMBOL = "sdx_ends_f32"
_ABREAST = 4
"""Vectors of a row that are looked at side by side."""
_FEW = 1 << 12
"""Numbers below which one thread is as fast."""


class Word(IntEnum):
    """Argument words: X is [ROWS, SIZE], Y is [ROWS, 2], both without gaps."""

    X = 0
    Y = auto()
    ROWS = auto()
    SIZE = auto()
    WORDS = auto()


def ends_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that finds the largest number of each row, and that of its opposites."""
    root, place, target = group.root, group.place, goal.target
    assert place is not None
    (x,), axis = root.args, root.attrs["axis"]
    source = places[x.id]
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.Y: Address.of(place),
        Word.ROWS: dims.product(x.shape[:axis]),
        Word.SIZE: dims.product(x.shape[axis:]),
    }
    call = NativeCall(
        _SYMBOL,
        in_order(words, Word.WORDS),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=x.size,
        kind="ends",
        plan=f"of {words[Word.ROWS]} x {words[Word.SIZE]}",
    )
    yield call, {_SYMBOL: lambda: ends_ir(target)}


def ends_ir(target: Target) -> str:
    """The module with `void @sdx_ends_f32(ptr args, ptr ctx)`."""
    module = Module()
    _Writer(module, target).write()
    return module.text()


@dataclass(frozen=True, slots=True)
class _Seen:
    """The largest and the least number so far, and the sum of all times 0; of each lane."""

    high: V
    low: V
    zeros: V

    @property
    def values(self) -> tuple[V, V, V]:
        """What loops carry."""
        return self.high, self.low, self.zeros

    def with_vector(self, f: Function, x: V) -> _Seen:
        """The same with more numbers."""
        return _Seen(
            _larger(f, x, self.high), _smaller(f, x, self.low), f.fma(x, float_(0.0, x.type), self.zeros)
        )

    def joined(self, f: Function, other: _Seen) -> _Seen:
        """What both have seen."""
        zeros = f.binary("fadd", self.zeros, other.zeros)
        return _Seen(_larger(f, self.high, other.high), _smaller(f, self.low, other.low), zeros)

    def halves(self, f: Function) -> tuple[_Seen, _Seen]:
        """What each half of the lanes has seen; scalars of single lanes."""
        half = self.high.lanes // 2
        low, high = (
            [f.extract(v, at) if half == 1 else f.shuffle(v, v, range(at, at + half)) for v in self.values]
            for at in (0, half)
        )
        return _Seen(*low), _Seen(*high)


class _Writer:
    """Writes the kernel."""

    def __init__(self, module: Module, target: Target) -> None:
        self.f = Function(module, _SYMBOL, [("args", "ptr"), ("ctx", "ptr")])
        self.args, self.ctx = self.f.params
        self.lanes, self.type = target.lanes, vector_of("float", target.lanes)

    def write(self) -> None:
        """Add the function to its module."""
        f = self.f
        x, y = (f.word(self.args, w, "ptr") for w in (Word.X, Word.Y))
        rows, self.size = (f.word(self.args, w) for w in (Word.ROWS, Word.SIZE))
        with f.when(f.icmp("sgt", rows, int_(0))):
            work = f.mul(rows, self.size)
            few = f.icmp("ult", work, int_(_FEW))
            threads = f.select(few, int_(1), f.word(self.ctx, Context.NTHREADS))
            shares = Shares.of(f, self.ctx, threads, work, rows)
            with my_runs(f, int_(1), rows, shares) as (_, first, last), f.loop(first, last) as row:
                into = f.gep(y, f.mul(row.index, int_(2)), "float")
                self._row(f.gep(x, f.mul(row.index, self.size), "float"), into)
        f.ret()
        f.finish()

    def _row(self, x: V, into: V) -> None:
        f = self.f
        seen = self._seen(x)
        while seen.high.lanes > 1:
            lower, upper = seen.halves(f)
            seen = lower.joined(f, upper)
        for number, end in enumerate((seen.high, f.value("float", f"fneg {seen.low}"))):
            f.store(end, f.gep(into, int_(number), "float"))
        with f.when(f.fcmp("uno", seen.zeros, seen.zeros)), f.loop(int_(0), self.size) as each:
            value = f.load(f.gep(x, each.index, "float"), "float")
            with f.when(f.fcmp("uno", value, value)):
                for number in range(2):
                    f.store(value, f.gep(into, int_(number), "float"))

    def _seen(self, x: V) -> _Seen:
        """All numbers of a row, lane by lane."""
        f, lanes = self.f, self.lanes
        start = [float_(c, self.type) for c in (-float("inf"), float("inf"), 0.0)]
        several = int_(_ABREAST * lanes)
        whole = f.sub(self.size, f.binary("urem", self.size, several))
        with f.loop(int_(0), whole, _ABREAST * lanes, start * _ABREAST) as many:
            carried: list[V] = []
            for n in range(_ABREAST):
                at = f.gep(x, f.add(many.index, int_(n * lanes)), "float")
                seen = _Seen(*many.carried[3 * n : 3 * n + 3]).with_vector(f, f.load(at, self.type, 4))
                carried += seen.values
            many.next(*carried)
        seen = _Seen(*many.carried[:3])
        for n in range(1, _ABREAST):
            seen = seen.joined(f, _Seen(*many.carried[3 * n : 3 * n + 3]))
        with f.loop(whole, self.size, lanes, seen.values) as rest:
            mask = f.tail_mask(f.sub(self.size, rest.index), lanes)
            number = f.masked_load(f.gep(x, rest.index, "float"), self.type, mask)
            before = _Seen(*rest.carried)
            after = before.with_vector(f, number)
            rest.next(*(f.select(mask, a, b) for a, b in zip(after.values, before.values, strict=True)))
        return _Seen(*rest.carried)


def _larger(f: Function, new: V, old: V) -> V:
    return f.select(f.fcmp("ogt", new, old), new, old)


def _smaller(f: Function, new: V, old: V) -> V:
    return f.select(f.fcmp("olt", new, old), new, old)
