"""Probabilities of classes from those of pairs: an iteration for each row, a row in each lane, in doubles."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto

from sardonyx.base.abi import Context
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.svm import MIN_ROUNDS, NEARNESS
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.share import ceil_div, split
from sardonyx.llvm.convert import compute_type
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_


class Word(IntEnum):
    """Argument words: X [ROWS, PAIRS], Y [ROWS, CLASSES], both without gaps."""

    X = 0
    Y = auto()
    ROWS = auto()
    PAIRS = auto()
    CLASSES = auto()
    WORDS = auto()


def coupling_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call for all rows."""
    target = goal.target
    root, place = group.root, group.place
    assert place is not None
    (x,) = root.args
    source, (rows, pairs), classes = places[x.id], x.shape, root.shape[1]
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.Y: Address.of(place),
        Word.ROWS: rows,
        Word.PAIRS: pairs,
        Word.CLASSES: classes,
    }
    symbol = f"sdx_coupling_{x.dtype.name}"
    call = NativeCall(
        symbol,
        in_order(words, Word.WORDS),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=rows * classes * classes * 20,
        scratch_bytes=(classes + 2) * classes * _row_lanes(target) * 8,
        kind="coupling",
        plan=f"{classes} classes in {rows} rows",
    )
    yield call, {symbol: lambda: coupling_ir(symbol, x.dtype, target)}


def coupling_ir(symbol: str, dtype: DType, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Writer(module, symbol, dtype, target).write()
    return module.text()


def _row_lanes(target: Target) -> int:
    return target.lanes // 2


class _Writer:
    """Writes the kernel; `q` [CLASSES, CLASSES], `p` and `qp` [CLASSES] are vectors over rows, in scratch."""

    def __init__(self, module: Module, symbol: str, dtype: DType, target: Target) -> None:
        f = self.f = Function(module, symbol, [("args", "ptr"), ("ctx", "ptr")])
        args, self.ctx = f.params
        self.x, self.y = (f.word(args, w, "ptr") for w in (Word.X, Word.Y))
        self.rows, self.pairs, self.classes = (f.word(args, w) for w in (Word.ROWS, Word.PAIRS, Word.CLASSES))
        self.access, self.lanes = Access(f, dtype, target), _row_lanes(target)
        self.real = compute_type(dtype)
        self.type = vector_of("double", self.lanes)
        self.q = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.p = self._at(self.q, f.mul(self.classes, self.classes))
        self.qp = self._at(self.p, self.classes)

    def write(self) -> None:
        """Add the function to its module."""
        f, lanes = self.f, int_(self.lanes)
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        count = f.convert("sitofp", self.classes, "double")
        self.count = Lanes(f, f.splat(count, self.lanes))
        with f.loop(*split(f, ceil_div(f, self.rows, lanes), tid, threads)) as block:
            first = f.mul(block.index, lanes)
            self._set_up(first)
            rounds = f.smax(self.classes, int_(MIN_ROUNDS))
            with f.repeat(lambda left: f.icmp("sgt", left, int_(0)), [rounds]) as step:
                going = self._round()
                step.next(f.select(going, f.sub(step.carried[0], int_(1)), int_(0)))
            self._finish(first)
        f.ret()
        f.finish()

    def _at(self, base: V, index: V) -> V:
        return self.f.gep(base, self.f.mul(index, int_(self.lanes)), "double")

    def _load(self, at: V) -> Lanes:
        return Lanes(self.f, self.f.load(at, self.type, align=8))

    def _store(self, value: Lanes, at: V) -> None:
        self.f.store(value.v, at, align=8)

    def _cell(self, row: V, column: V) -> V:
        return self._at(self.q, self.f.add(self.f.mul(row, self.classes), column))

    def _zero(self) -> Lanes:
        return Lanes(self.f, V("zeroinitializer", self.type))

    def _set_up(self, first: V) -> None:
        """The matrix of the quadratic form of every row, and even probabilities."""
        f = self.f
        with f.loop(int_(0), self.classes) as i:
            self._store(self._zero(), self._cell(i.index, i.index))
            self._store(1.0 / self.count, self._at(self.p, i.index))
        with f.loop(int_(0), self.classes, 1, [int_(0)]) as i:
            with f.loop(f.add(i.index, int_(1)), self.classes, 1, [i.carried[0]]) as j:
                won = self._pair(first, j.carried[0])
                lost = 1.0 - won
                for cell in (self._cell(i.index, j.index), self._cell(j.index, i.index)):
                    self._store(-(won * lost), cell)
                for side, term in ((i.index, lost), (j.index, won)):
                    cell = self._cell(side, side)
                    self._store(self._load(cell) + term * term, cell)
                j.next(f.add(j.carried[0], int_(1)))
            i.next(j.carried[0])

    def _pair(self, first: V, pair: V) -> Lanes:
        """One pair of as many rows as there are lanes; missing rows repeat the last one."""
        f = self.f
        last = f.sub(self.rows, int_(1))
        vector = V("zeroinitializer", self.type)
        for lane in range(self.lanes):
            row = f.smin(f.add(first, int_(lane)), last)
            value = self.access.load(self.x, f.add(f.mul(row, self.pairs), pair))
            vector = f.insert(vector, f.convert("fpext", value, "double"), lane)
        return Lanes(f, vector)

    def _round(self) -> V:
        """One step of every row that is not near enough; whether there is any."""
        f = self.f
        total = self._products()
        mask = vector_of("i1", self.lanes)
        with f.loop(int_(0), self.classes, 1, [int_(-1, mask)]) as t:
            distance = (self._load(self._at(self.qp, t.index)) - total).abs()
            t.next((Lanes(f, t.carried[0]) & (distance < NEARNESS / self.count)).v)
        busy = ~Lanes(f, t.carried[0])
        with f.loop(int_(0), self.classes, 1, [total.v]) as t:
            t.next(self._move(t.index, Lanes(f, t.carried[0]), busy).v)
        return f.icmp("ne", f.bitcast(busy.v, f"i{self.lanes}"), int_(0, f"i{self.lanes}"))

    def _products(self) -> Lanes:
        """Write qp = q @ p; p @ qp."""
        f = self.f
        with f.loop(int_(0), self.classes, 1, [self._zero().v]) as t:
            with f.loop(int_(0), self.classes, 1, [self._zero().v]) as j:
                term = self._load(self._cell(t.index, j.index)) * self._load(self._at(self.p, j.index))
                j.next((Lanes(f, j.carried[0]) + term).v)
            product = Lanes(f, j.carried[0])
            self._store(product, self._at(self.qp, t.index))
            t.next((Lanes(f, t.carried[0]) + self._load(self._at(self.p, t.index)) * product).v)
        return Lanes(f, t.carried[0])

    def _move(self, t: V, total: Lanes, busy: Lanes) -> Lanes:
        """Move the probability of class t and scale all to 1; p @ qp. A step of 0 changes nothing."""
        f = self.f
        own, here = self._load(self._cell(t, t)), self._at(self.p, t)
        mine = self._load(self._at(self.qp, t))
        step = busy.choose((total - mine) / own, 0.0)
        scale = 1.0 + step
        self._store(self._load(here) + step, here)
        with f.loop(int_(0), self.classes) as j:
            at, qp = self._at(self.p, j.index), self._at(self.qp, j.index)
            self._store((self._load(qp) + step * self._load(self._cell(t, j.index))) / scale, qp)
            self._store(self._load(at) / scale, at)
        return (total + step * (step * own + 2.0 * mine)) / scale / scale

    def _finish(self, first: V) -> None:
        f = self.f
        count = f.smin(f.sub(self.rows, first), int_(self.lanes))
        with f.loop(int_(0), count) as row, f.loop(int_(0), self.classes) as t:
            value = f.load(f.gep(self._at(self.p, t.index), row.index, "double"), "double")
            place = f.add(f.mul(f.add(first, row.index), self.classes), t.index)
            self.access.store(f.convert("fptrunc", value, self.real), self.y, place)
