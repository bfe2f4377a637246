"""Expressions, addresses and reductions of a kernel, one SSA value each, scalar or vector as they need.

Values live in scopes that follow the loops: what does not change inside a loop is computed before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.target import Target
from sardonyx.llvm import convert, maps
from sardonyx.llvm.reduce import combine, horizontal, identity
from sardonyx.llvm.vec import Function, V, int_, mangle, size_of, vector_of
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Literal,
    Load,
    Pick,
    Position,
    Reduce,
    Reduced,
    Statement,
    Store,
    roots,
    walk,
)

FAIL_INDEX, FAIL_DIV0 = 1, 2


class ExprEmitter:
    """Emits expressions at the current place of a loop nest."""

    def __init__(self, function: Function, target: Target, vector: Axis | None) -> None:
        self.f = function
        self.target = target
        self.vector = vector
        self.mask: V | None = None
        self.values: list[dict[int, V]] = [{}]
        self.pointers: list[dict[tuple[Buffer, Affine], V]] = [{}]
        self.indices: list[dict[Axis, V]] = [{}]
        self.entered: list[set[Axis]] = [set()]
        self.sums: dict[str, V] = {}
        self.tile_strides: tuple[Axis, Axis, V] | None = None

    # ---- supplied by the kernel emitter

    def word(self, buffer: Buffer | None, dim: Dim) -> V:
        """The value of an argument word."""
        raise NotImplementedError

    def declare(self, buffer: Buffer | None, dim: Dim) -> None:
        """Make an argument word available."""
        raise NotImplementedError

    def declare_access(self, buffer: Buffer, at: Affine) -> None:
        """Make the words of an address available."""
        raise NotImplementedError

    def declare_expr(self, expr: Expr) -> None:
        """Make the words of an expression available."""
        if isinstance(expr, Load):
            self.declare_access(expr.buffer, expr.at)
            for pick in expr.picks:
                self.declare(None, pick.stride)
                self.declare(None, pick.extent)
        elif isinstance(expr, Position):
            self.declare(None, expr.at.const)
            for _, factor in expr.at.terms:
                self.declare(None, factor)

    # ---- scopes

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Values computed inside are forgotten after it."""
        self.values.append({})
        self.pointers.append({})
        self.indices.append({})
        yield
        self.values.pop()
        self.pointers.pop()
        self.indices.pop()

    def open_accesses(self, body: Sequence[Statement]) -> None:
        """Start the running pointer of every address at its constant part."""
        for statement in body:
            for expr in walk(roots(statement)):
                if isinstance(expr, Load):
                    self._open(expr.buffer, expr.at)
            if isinstance(statement, Store):
                self._open(statement.buffer, statement.at)

    def _open(self, buffer: Buffer, at: Affine) -> None:
        base = self.f.params[0] if buffer.role == "tile" else self.word(buffer, at.const)
        self.pointers[0][(buffer, at)] = base

    def enter(self, axis: Axis, index: V, *, keep: bool = False, tile: bool = True) -> None:
        """Fix an axis at `index` in the current scope: move every pointer that changes with it.

        `keep` adds to an index already fixed (a tile's origin); `tile=False` leaves the tile's pointer alone.
        """
        before = self.index(axis) if keep else None
        self.indices[-1][axis] = index if before is None else self.f.add(before, index)
        for key, pointer in self._visible_pointers().items():
            buffer, at = key
            if buffer.role == "tile":
                if tile and self.tile_strides and axis is self.tile_strides[0]:
                    offset = self.f.mul(index, self.tile_strides[2])
                    self.pointers[-1][key] = self.f.gep(pointer, offset, self._memory(buffer))
                elif tile and self.tile_strides and axis is self.tile_strides[1]:
                    self.pointers[-1][key] = self.f.gep(pointer, index, self._memory(buffer))
                continue
            factor = at.factor(axis)
            if factor != 0:
                offset = self.f.mul(index, self.word(None, factor))
                self.pointers[-1][key] = self.f.gep(pointer, offset, self._memory(buffer))

    def _memory(self, buffer: Buffer) -> str:
        return convert.memory_type(buffer.dtype)

    def _visible_pointers(self) -> dict[tuple[Buffer, Affine], V]:
        merged: dict[tuple[Buffer, Affine], V] = {}
        for level in self.pointers:
            merged.update(level)
        return merged

    def pointer(self, buffer: Buffer, at: Affine) -> V:
        """The running pointer of an address."""
        return next(level[(buffer, at)] for level in reversed(self.pointers) if (buffer, at) in level)

    def index(self, axis: Axis) -> V:
        """The current index of an axis (of lane 0 for the vector axis)."""
        return next(level[axis] for level in reversed(self.indices) if axis in level)

    def hoist(self, body: Sequence[Statement], later: set[Axis]) -> None:
        """Compute now whatever does not change with the loops still to come."""
        for statement in body:
            for expr in walk(roots(statement)):
                if isinstance(expr, Literal) or expr.axes & later or not self._ready(expr):
                    continue
                if isinstance(expr, Apply | Load):
                    self.value(expr)

    def _ready(self, expr: Expr) -> bool:
        return all(not isinstance(e, Reduced) or e.name in self.sums for e in walk([expr])) and all(
            not (isinstance(e, Load) and e.buffer.role == "scratch") for e in walk([expr])
        )

    # ---- vector loop

    def vector_loop(
        self, axis: Axis, low: V, high: V, body: Callable[[], None], reductions: Sequence[Reduce] = ()
    ) -> None:
        """Full vectors first, then one masked tail."""
        lanes, f = self.target.lanes, self.f
        static = (
            axis.extent
            if isinstance(axis.extent, int) and low.text == "0" and self.tile_strides is None
            else None
        )
        if static == lanes:
            with self.scope():
                self.enter(axis, int_(0), keep=self.tile_strides is not None)
                body()
            return
        full = f.sub(high, int_(lanes - 1))
        carried = [self.widen(v) for v in self.accumulators(reductions)]
        self.carry(reductions, carried)
        with f.loop(low, full, lanes, carried) as loop, self.scope():
            self.carry(reductions, loop.carried)
            self.enter(axis, loop.index, keep=self.tile_strides is not None)
            body()
            loop.next(*self.accumulators(reductions))
        self.carry(reductions, loop.carried)
        if static is not None and static % lanes == 0:
            return
        rest = f.sub(high, loop.index)
        then, done = f.new_label("tail"), f.new_label("after")
        before = self.accumulators(reductions)
        origin = f.label
        f.branch(f.icmp("sgt", rest, int_(0)), then, done)
        f.start(then)
        with self.scope():
            self.enter(axis, loop.index, keep=self.tile_strides is not None)
            self.mask = f.tail_mask(rest, lanes)
            body()
            self.mask = None
        after = self.accumulators(reductions)
        end = f.label
        f.jump(done)
        f.start(done)
        self.carry(reductions, [f.phi((a, end), (b, origin)) for a, b in zip(after, before, strict=True)])

    def widen(self, value: V) -> V:
        """A scalar in all lanes."""
        return self.f.splat(value, self.target.lanes)

    # ---- expressions

    def value(self, expr: Expr) -> V:
        """The SSA value of an expression here; a scalar if it is the same in all lanes."""
        for level in reversed(self.values):
            if id(expr) in level:
                return level[id(expr)]
        result = self._value(expr)
        self.values[-1][id(expr)] = result
        return result

    def _value(self, expr: Expr) -> V:
        match expr:
            case Literal():
                return convert.literal(expr.value, expr.dtype)
            case Position():
                return self._position(expr)
            case Load():
                return self._load(expr)
            case Reduced():
                return self.sums[expr.name]
            case Apply():
                return self._apply(expr)
        raise AssertionError(expr)

    def _position(self, expr: Position) -> V:
        total = self.word(None, expr.at.const)
        for axis, factor in expr.at.terms:
            index = self.index(axis)
            if axis is self.vector and self._lanes_run(axis):
                index = self.f.add(self.widen(index), self.f.iota(self.target.lanes))
            step = self.f.mul(
                index, self.widen(self.word(None, factor)) if index.lanes > 1 else self.word(None, factor)
            )
            if step.lanes != total.lanes:
                total, step = self.widen(total), self.widen(step)
            total = self.f.add(total, step)
        return convert.cast(self.f, self.target, total, dt.I64, expr.dtype)

    def _lanes_run(self, axis: Axis) -> bool:
        return axis is self.vector

    def _apply(self, expr: Apply) -> V:
        args = [self.value(a) for a in expr.args]
        if any(a.lanes > 1 for a in args):
            args = [self.widen(a) for a in args]
        types = [a.dtype for a in expr.args]
        if expr.prim == "cast":
            return convert.cast(self.f, self.target, args[0], types[0], expr.dtype)
        attrs = {"to": expr.dtype}
        mask = self.mask if args[0].lanes > 1 else None
        return maps.apply(self.f, self.target, expr.prim, args, types, expr.dtype, attrs, mask, self.fail_if)

    def fail_if(self, what: str, condition: V) -> None:
        """Report a data error if the i1 holds."""
        code = {"div0": FAIL_DIV0}[what]
        with self.f.when(condition):
            self._fail(code, int_(0), int_(0))

    def _fail(self, code: int, first: V, second: V) -> None:
        if self.tile_strides is None:
            self.f.call("sdx_fail", "void", self.f.params[1], int_(code), first, second)

    def _load(self, expr: Load) -> V:
        memory = convert.memory_type(expr.dtype)
        pointer = self.pointer(expr.buffer, expr.at)
        factor: Dim = expr.at.factor(self.vector) if self.vector else 0
        if expr.buffer.role == "tile":
            factor = 1
        offset = self._picked(expr.picks)
        if offset is not None and offset.lanes == 1:
            pointer, offset = self.f.gep(pointer, offset, memory), None
        if offset is None and factor == 0:
            loaded = self.f.load(pointer, memory)
        elif offset is None and factor == 1:
            type_ = vector_of(memory, self.target.lanes)
            loaded = (
                self.f.load(pointer, type_)
                if self.mask is None
                else self.f.masked_load(pointer, type_, self.mask)
            )
        else:
            loaded = self._gather(pointer, self._lane_offsets(factor, offset), memory)
        return convert.from_memory(self.f, loaded, expr.dtype)

    def _lane_offsets(self, factor: Dim, offset: V | None) -> V:
        lanes = self.f.mul(self.f.iota(self.target.lanes), self.widen(self.word(None, factor)))
        return lanes if offset is None else self.f.add(lanes, offset)

    def _addresses(self, pointer: V, offsets: V, memory: str) -> tuple[V, V]:
        type_ = vector_of("ptr", self.target.lanes)
        addresses = self.f.value(type_, f"getelementptr {memory}, {pointer}, {offsets}")
        mask = self.mask or V("splat (i1 true)", vector_of("i1", self.target.lanes))
        return addresses, mask

    def _gather(self, pointer: V, offsets: V, memory: str) -> V:
        addresses, mask = self._addresses(pointer, offsets, memory)
        type_ = vector_of(memory, self.target.lanes)
        name = f"llvm.masked.gather.{mangle(type_)}.{mangle(addresses.type)}"
        self.f.module.declare(name, type_, [addresses.type, mask.type, type_])
        pointers = f"{addresses.type} align {size_of(memory)} {addresses.text}"
        text = f"call {type_} @{name}({pointers}, {mask}, {type_} zeroinitializer)"
        return self.f.value(type_, text)

    def _picked(self, picks: Sequence[Pick]) -> V | None:
        """The element offset of checked data-dependent indices."""
        total: V | None = None
        for pick in picks:
            index = self.value(pick.index)
            index = convert.cast(self.f, self.target, index, pick.index.dtype, dt.I64)
            vector = index.lanes > 1
            extent = self.widen(self.word(None, pick.extent)) if vector else self.word(None, pick.extent)
            stride = self.widen(self.word(None, pick.stride)) if vector else self.word(None, pick.stride)
            negative = self.f.icmp("slt", index, int_(0, index.type))
            index = self.f.select(negative, self.f.add(index, extent), index)
            step = self.f.mul(self._checked(index, extent), stride)
            if total is not None and total.lanes != step.lanes:
                total, step = self.widen(total), self.widen(step)
            total = step if total is None else self.f.add(total, step)
        return total

    def _checked(self, index: V, extent: V) -> V:
        """The index, or 0 after reporting the error if it is out of range."""
        bad = self.f.icmp("uge", index, extent)
        if bad.lanes > 1:
            if self.mask is not None:
                bad = self.f.binary("and", bad, self.mask)
            anywhere = self.f.call(f"llvm.vector.reduce.or.{mangle(bad.type)}", "i1", bad)
            with self.f.when(anywhere):
                self._fail(FAIL_INDEX, self.f.extract(index, 0), self.f.extract(extent, 0))
        else:
            with self.f.when(bad):
                self._fail(FAIL_INDEX, index, extent)
        return self.f.select(bad, int_(0, index.type), index)

    # ---- stores and reductions

    def store(self, statement: Store) -> None:
        """Write one element or one vector."""
        dtype, f = statement.buffer.dtype, self.f
        memory = convert.memory_type(dtype)
        pointer = self.pointer(statement.buffer, statement.at)
        factor: Dim = statement.at.factor(self.vector) if self.vector else 0
        running = self.vector is not None and self._is_running(self.vector)
        offset = self._picked(statement.picks)
        value = self.value(statement.expr)
        if offset is not None:
            pointer = f.gep(pointer, offset, memory)
        if statement.reduction != "none":
            old = convert.from_memory(f, f.load(pointer, memory), dtype)
            prim = {"add": "add", "mul": "mul", "max": "max", "min": "min"}[statement.reduction]
            value = maps.apply(f, self.target, prim, [old, value], [dtype, dtype], dtype, {}, None, None)
        if not running or factor == 0:
            value = f.extract(value, 0) if value.lanes > 1 else value
            f.store(convert.to_memory(f, value, dtype, self.target), pointer)
            return
        stored = convert.to_memory(f, self.widen(value), dtype, self.target)
        if factor == 1 and self.mask is None:
            f.store(stored, pointer)
        elif factor == 1:
            assert self.mask is not None
            f.masked_store(stored, pointer, self.mask)
        else:
            addresses, mask = self._addresses(pointer, self._lane_offsets(factor, None), memory)
            name = f"llvm.masked.scatter.{mangle(stored.type)}.{mangle(addresses.type)}"
            f.module.declare(name, "void", [stored.type, addresses.type, mask.type])
            pointers = f"{addresses.type} align {size_of(memory)} {addresses.text}"
            f.line(f"call void @{name}({stored}, {pointers}, {mask})")

    def _is_running(self, axis: Axis) -> bool:
        return any(axis in level for level in self.indices)

    def begin_reductions(self, reductions: Sequence[Reduce]) -> None:
        """Accumulators start at the identity."""
        for r in reductions:
            self.sums[r.result.name] = identity(self.f, r, self._accumulator_lanes(r), self.target)

    def _accumulator_lanes(self, r: Reduce) -> int:
        return self.target.lanes if self.vector in r.expr.axes or self.vector in r.axes else 1

    def accumulators(self, reductions: Sequence[Reduce]) -> list[V]:
        """The current accumulator values."""
        return [self.sums[r.result.name] for r in reductions]

    def carry(self, reductions: Sequence[Reduce], values: Sequence[V]) -> None:
        """Replace the accumulator values."""
        for r, value in zip(reductions, values, strict=True):
            self.sums[r.result.name] = value

    def accumulate(self, r: Reduce) -> None:
        """Fold the current element into the accumulator; masked-out lanes leave it alone."""
        old = self.sums[r.result.name]
        factors = _product(r)
        if factors is not None:
            a, b = (self.widen(v) if old.lanes > 1 else v for v in map(self.value, factors))
            result = self.f.fma(a, b, old)
        else:
            new = self.value(r.expr)
            result = combine(self.f, self.target, r, old, self.widen(new) if old.lanes > 1 else new)
        if self.mask is not None and old.lanes > 1 and self.vector in r.axes:
            result = self.f.select(self.mask, result, old)
        self.sums[r.result.name] = result

    def end_reductions(self, reductions: Sequence[Reduce]) -> None:
        """Fold the lanes together where they ran along a reduced axis."""
        for r in reductions:
            if self.vector in r.axes:
                self.sums[r.result.name] = horizontal(self.f, self.target, r, self.sums[r.result.name])


def _product(r: Reduce) -> tuple[Expr, Expr] | None:
    """The factors of a sum of float products, which accumulates with one rounding."""
    if (
        r.op == "sum"
        and isinstance(r.expr, Apply)
        and r.expr.prim == "mul"
        and r.expr.dtype in (dt.F32, dt.F64)
    ):
        return r.expr.args[0], r.expr.args[1]
    return None
