"""Loads and stores of a kernel: one element, contiguous lanes, lanes a few elements apart, gathers, scatters.

Decides which instructions reach memory; no lane touches an element that the kernel does not own. Indices read
from data are checked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sardonyx.base import dtype as dt
from sardonyx.emit.near import NearLoad, may_be_near
from sardonyx.emit.scopes import Scopes
from sardonyx.emit.words import NARROW_STEPS, is_narrow
from sardonyx.llvm import convert, maps
from sardonyx.llvm.shuffle import pick, reverse
from sardonyx.llvm.types import mangle, size_of, vector_of
from sardonyx.llvm.vec import V, int_
from sardonyx.loops.nest import Affine, Apply, Buffer, Expr, Load, Pick, Store

FAIL_INDEX, FAIL_DIV0 = 1, 2


def to_round(statement: Store) -> Expr:
    """What is stored, but for a rounding to the half type of the buffer: storing rounds."""
    expr, dtype = statement.expr, statement.buffer.dtype
    if not isinstance(expr, Apply) or expr.prim != "cast" or expr.dtype not in (dt.F16, dt.BF16):
        return expr
    (source,) = expr.args
    return source if expr.dtype is dtype and source.dtype is dt.F32 else expr


class Access(Scopes):
    """Reads and writes memory at the current place of a loop nest."""

    def value(self, expr: Expr) -> V:
        """The SSA value of an expression here; a scalar if it is the same in all lanes."""
        raise NotImplementedError

    def widen(self, value: V) -> V:
        """A scalar in all lanes."""
        return self.f.splat(value, self.lanes)

    def lane_step(self, buffer: Buffer, at: Affine) -> V:
        """How many elements lanes are apart."""
        return int_(1) if buffer.role == "tile" else self.words.step(at, self.vector)

    # ---- loads

    def load(self, expr: Load) -> V:
        """The loaded value in its compute type."""
        memory = convert.memory_type(expr.dtype)
        pointer = self.pointer(expr.buffer, expr.at)
        step = self.lane_step(expr.buffer, expr.at)
        near = self._near(expr, pointer, step, memory)
        if near is not None:
            return convert.from_memory(self.f, near, expr.dtype)
        offset = self.picked(expr.picks)
        if offset is not None and offset.lanes == 1:
            pointer, offset = self.f.gep(pointer, offset, memory), None
        known = step.known if offset is None else None
        if known == 0:
            loaded = self.f.load(pointer, memory)
        elif known == 1:
            loaded = self.load_lanes(pointer, memory, self.mask)
        elif known == -1:
            loaded = self._load_reversed(pointer, memory)
        elif known is not None and known in NARROW_STEPS:
            loaded = self._load_strided(pointer, memory, known)
        else:
            loaded = self._gather(pointer, self._lane_offsets(step, offset), memory)
        return convert.from_memory(self.f, loaded, expr.dtype)

    def _near(self, expr: Load, pointer: V, step: V, memory: str) -> V | None:
        """Elements of one row at places that data gives; None if a machine finds them only one by one."""
        if len(expr.picks) != 1 or step.known != 0 or not may_be_near(self.target, memory, self.lanes):
            return None
        (place,) = expr.picks
        index = self.value(place.index)
        is_dense = self.words.word(None, place.stride).known == 1
        if not is_dense or index.lanes == 1 or index.scalar not in ("i32", "i64"):
            return None

        def elsewhere() -> V:
            offset = self.picked(expr.picks)
            assert offset is not None
            return self._gather(pointer, self._lane_offsets(step, offset), memory)

        extent = self.words.word(None, place.extent)
        return NearLoad(self.f, self.target, pointer, memory, extent, index, self.mask).write(elsewhere)

    def load_lanes(self, pointer: V, memory: str, mask: V | None) -> V:
        """Contiguous elements, those of the mask only."""
        type_ = vector_of(memory, self.lanes)
        return self.f.load(pointer, type_) if mask is None else self.f.masked_load(pointer, type_, mask)

    def store_lanes(self, value: V, pointer: V, mask: V | None) -> None:
        """Contiguous elements, those of the mask only."""
        if mask is None:
            self.f.store(value, pointer)
        else:
            self.f.masked_store(value, pointer, mask)

    def _load_reversed(self, pointer: V, memory: str) -> V:
        first = self.f.gep(pointer, int_(1 - self.lanes), memory)
        mask = None if self.mask is None else reverse(self.f, self.mask)
        return reverse(self.f, self.load_lanes(first, memory, mask))

    def _load_strided(self, pointer: V, memory: str, step: int) -> V:
        """Every `step`-th element, out of whole vectors; the last one ends with the last element wanted."""
        lanes = self.lanes
        starts = [min(k * lanes, (lanes - 1) * step + 1 - lanes) for k in range(step)]
        parts = [
            self.load_lanes(self.f.gep(pointer, int_(s), memory), memory, self._strided_mask(s, step))
            for s in starts
        ]
        wanted = []
        for i in range(lanes):
            k = next(k for k, s in enumerate(starts) if s <= i * step < s + lanes)
            wanted.append(k * lanes + i * step - starts[k])
        return pick(self.f, parts, wanted)

    def _strided_mask(self, start: int, step: int) -> V | None:
        """The mask of the vector that begins `start` elements on, if every `step`-th lane is wanted.

        LLVM reads lanes that a mask which it knows leaves out, if it takes them for lanes that nobody needs.
        """
        mask, rest = self.mask, self.remaining
        if mask is None:
            return None
        if rest is not None and rest.text.isdigit():
            mask = self.f.tail_mask(self.f.opaque(rest), self.lanes)
        wanted = [(start + i) // step if (start + i) % step == 0 else -1 for i in range(self.lanes)]
        none = V("zeroinitializer", mask.type)
        return pick(self.f, [mask, none], [w if w >= 0 else self.lanes for w in wanted])

    def _lane_offsets(self, step: V, offset: V | None) -> V:
        if offset is not None and step.known == 0:
            return offset
        lanes = self.f.mul(self.f.iota(self.lanes), self.widen(step))
        if offset is None:
            return lanes
        wide = convert.cast(self.f, self.target, offset, dt.I32, dt.I64) if offset.scalar == "i32" else offset
        return self.f.add(lanes, wide)

    def _addresses(self, pointer: V, offsets: V, memory: str) -> tuple[V, V]:
        type_ = vector_of("ptr", self.lanes)
        addresses = self.f.value(type_, f"getelementptr {memory}, {pointer}, {offsets}")
        mask = self.mask or V("splat (i1 true)", vector_of("i1", self.lanes))
        return addresses, mask

    def _gather(self, pointer: V, offsets: V, memory: str) -> V:
        addresses, mask = self._addresses(pointer, offsets, memory)
        type_ = vector_of(memory, self.lanes)
        name = f"llvm.masked.gather.{mangle(type_)}.{mangle(addresses.type)}"
        self.f.module.declare(name, type_, [addresses.type, mask.type, type_])
        where = f"{addresses.type} align {size_of(memory)} {addresses.text}"
        return self.f.value(type_, f"call {type_} @{name}({where}, {mask}, {type_} zeroinitializer)")

    def _scatter(self, value: V, pointer: V, offsets: V, memory: str) -> None:
        addresses, mask = self._addresses(pointer, offsets, memory)
        name = f"llvm.masked.scatter.{mangle(value.type)}.{mangle(addresses.type)}"
        self.f.module.declare(name, "void", [value.type, addresses.type, mask.type])
        where = f"{addresses.type} align {size_of(memory)} {addresses.text}"
        self.f.line(f"call void @{name}({value}, {where}, {mask})")

    # ---- indices read from data

    def picked(self, picks: Sequence[Pick]) -> V | None:
        """The element offset of checked data-dependent indices; once before a loop that changes none."""
        total = next((level[id(picks)] for level in reversed(self.values) if id(picks) in level), None)
        if total is not None:
            return total
        for pick_ in picks:
            step = self._step_of(pick_)
            if len(picks) == 1:
                return step
            step = convert.cast(self.f, self.target, step, dt.I32, dt.I64) if step.scalar == "i32" else step
            if total is not None and total.lanes != step.lanes:
                total, step = self.widen(total), self.widen(step)
            total = step if total is None else self.f.add(total, step)
        return total

    def _step_of(self, picked: Pick) -> V:
        """How many elements away a checked index leads; an i32 in each lane where nothing larger can be."""
        index = self.value(picked.index)
        extent, stride = self.words.word(None, picked.extent), self.words.word(None, picked.stride)
        if index.lanes > 1 and is_narrow(picked):
            extent = self.widen(self.f.convert("trunc", extent, "i32"))
        else:
            index = convert.cast(self.f, self.target, index, picked.index.dtype, dt.I64)
            if index.lanes > 1:
                extent, stride = self.widen(extent), self.widen(stride)
        negative = self.f.icmp("slt", index, int_(0, index.type))
        inside = self.f.select(negative, self.f.add(index, extent), index)
        self._check(index, inside, extent)
        return inside if inside.scalar == "i32" else self.f.mul(inside, stride)

    def _check(self, index: V, inside: V, extent: V) -> None:
        """End the call with an error if an index is out of range: nothing is loaded at a wrong place."""
        assert self.tile_strides is None, "an epilogue cannot report an index that is out of range"
        bad = self.f.icmp("uge", inside, extent)
        if bad.lanes == 1:
            self.stop_if(bad, FAIL_INDEX, index, extent)
            return
        if self.mask is not None:
            bad = self.f.binary("and", bad, self.mask)
        f, bits = self.f, f"i{bad.lanes}"
        with self._stopping(f.call(f"llvm.vector.reduce.or.{mangle(bad.type)}", "i1", bad)):
            lane = f.call(f"llvm.cttz.{bits}", bits, f.bitcast(bad, bits), int_(1, "i1"))
            first = f.value(index.scalar, f"extractelement {index}, {lane}")
            last = f.extract(extent, 0)
            if index.scalar == "i32":
                first, last = (f.convert("sext", v, "i64") for v in (first, last))
            self._report(FAIL_INDEX, first, last)

    def stop_if(self, bad: V, code: int, first: V, second: V) -> None:
        """End the call with an error if the i1 holds."""
        with self._stopping(bad):
            self._report(code, first, second)

    @contextmanager
    def _stopping(self, bad: V) -> Iterator[None]:
        then, done = self.f.new_label("bad"), self.f.new_label("good")
        self.f.branch(bad, then, done)
        self.f.start(then)
        yield
        self.f.ret()
        self.f.start(done)

    def _report(self, code: int, first: V, second: V) -> None:
        self.f.call("sdx_fail", "void", self.f.params[1], int_(code), first, second)

    # ---- stores

    def store(self, statement: Store) -> None:
        """Write one element or one vector; where points are stacked, one at each."""
        if self.stacked is None:
            self._store(statement)
            return
        both = self.widen(self.value(to_round(statement)))
        for number, _ in enumerate(self.each_point(frozenset([self.stacked[0]]))):
            own = range(number * self.lanes, (number + 1) * self.lanes)
            self._store(statement, self.f.shuffle(both, both, own))

    def _store(self, statement: Store, value: V | None = None) -> None:
        dtype, f = statement.buffer.dtype, self.f
        memory = convert.memory_type(dtype)
        pointer = self.pointer(statement.buffer, statement.at)
        step = self.lane_step(statement.buffer, statement.at)
        offset = self.picked(statement.picks)
        value = value or self.value(to_round(statement))
        if offset is not None:
            pointer = f.gep(pointer, offset, memory)
        if statement.reduction != "none":
            rows = step.known == 1 and self.vector is not None and self.is_entered(self.vector)
            read = self.load_lanes(pointer, memory, self.mask) if rows else f.load(pointer, memory)
            old = convert.from_memory(f, read, dtype)
            value = self.widen(value) if rows else value
            prim = {"add": "add", "mul": "mul", "max": "max", "min": "min"}[statement.reduction]
            value = maps.apply(f, self.target, prim, [old, value], [dtype, dtype], dtype, {}, None, None)
        if step.known == 0 or self.vector is None or not self.is_entered(self.vector):
            value = f.extract(value, 0) if value.lanes > 1 else value
            f.store(convert.to_memory(f, value, dtype, self.target), pointer)
            return
        stored = convert.to_memory(f, self.widen(value), dtype, self.target)
        if step.known == 1:
            self.store_lanes(stored, pointer, self.mask)
        else:
            self._scatter(stored, pointer, self._lane_offsets(step, None), memory)
