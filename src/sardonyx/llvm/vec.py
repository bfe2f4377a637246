"""Writes typed LLVM IR text: modules, functions, SSA values, loops with carried values.

Knows LLVM syntax only; must not know kernels, ONNX, or llvmlite.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

from sardonyx.llvm.part import part
from sardonyx.llvm.types import lanes_of, mangle, scalar_of, size_of, vector_of


class V(NamedTuple):
    """One SSA value or constant: its text and its LLVM type."""

    text: str
    type: str

    def __str__(self) -> str:
        return f"{self[1]} {self[0]}"

    @property
    def known(self) -> int | None:
        """The number, of an integer that stands in the text."""
        return int(self[0]) if self[0].lstrip("-").isdigit() else None

    @property
    def lanes(self) -> int:
        """The number of vector lanes; 1 for a scalar."""
        return lanes_of(self.type)

    @property
    def scalar(self) -> str:
        """The element type."""
        return scalar_of(self.type)


@lru_cache(maxsize=1 << 12)
def int_(value: int, type_: str = "i64") -> V:
    """An integer constant (a splat for a vector type)."""
    if type_.startswith("<"):
        return V("zeroinitializer", type_) if value == 0 else V(f"splat ({scalar_of(type_)} {value})", type_)
    return V(("true" if value else "false") if type_ == "i1" else str(value), type_)


def float_(value: float, type_: str = "float") -> V:
    """A float constant (a splat for a vector type); float constants are rounded to single first."""
    scalar = scalar_of(type_)
    if scalar == "float":
        try:
            value = struct.unpack("<f", struct.pack("<f", value))[0]
        except OverflowError:
            value = float("inf") if value > 0 else float("-inf")
    text = "0x" + struct.pack(">d", value).hex().upper()
    return V(f"splat ({scalar} {text})" if type_.startswith("<") else text, type_)


class Module:
    """Collects functions, declarations and constant tables into one IR text."""

    def __init__(self) -> None:
        self._declarations: dict[str, str] = {}
        self._globals: dict[str, str] = {}
        self._functions: dict[str, str] = {}
        self._unwritten: dict[str, Callable[[], None]] = {}

    def declare(self, name: str, ret: str, params: Sequence[str]) -> None:
        """Declare an intrinsic or a function defined in another object."""
        self._declarations.setdefault(name, f"declare {ret} @{name}({', '.join(params)})")

    def table(self, name: str, scalar: str, values: Sequence[V], align: int = 64) -> V:
        """A private read-only array; returns its address."""
        body = ", ".join(str(v) for v in values)
        self._globals[name] = f"@{name} = private constant [{len(values)} x {scalar}] [{body}], align {align}"
        return V(f"@{name}", "ptr")

    def has(self, name: str) -> bool:
        """Whether a function of that name is already defined here."""
        return name in self._functions

    def add(self, name: str, text: str) -> None:
        """Add a finished function text."""
        self._functions[name] = text
        self._unwritten.pop(name, None)

    def add_later(self, name: str, head: str, write: Callable[[], None]) -> None:
        """Add a function that `write` adds the text of: only if it is asked for, not just called."""
        self._functions[name], self._unwritten[name] = head, write

    def _write(self, names: Sequence[str]) -> None:
        for name in [name for name in names if name in self._unwritten]:
            self._unwritten[name]()

    def text(self) -> str:
        """The whole module; the text is a pure function of what was added."""
        self._write(list(self._functions))
        declared = [text for name, text in sorted(self._declarations.items()) if name not in self._functions]
        return "\n".join([*self._globals.values(), *self._functions.values(), *declared]) + "\n"

    def parts(self, count: int) -> tuple[str, ...]:
        """The module cut into `count` modules of about equal length, which are to be linked together.

        Internal functions become hidden ones: their names must be unique in the program.
        """
        self._write(list(self._functions))
        shares: list[list[str]] = [[] for _ in range(count)]
        for name in sorted(self._functions, key=lambda name: -len(self._functions[name])):
            min(shares, key=lambda share: sum(len(self._functions[n]) for n in share)).append(name)
        return tuple(self._part(names) for names in shares)

    def part(self, word: str) -> str:
        """The functions with a word in their names; the others are to be in modules linked to it, hidden."""
        return self._part([name for name in self._functions if word in name])

    def _part(self, names: Sequence[str]) -> str:
        self._write(names)
        others = {**self._declarations, **self._functions}
        return part({name: others[name] for name in names}, others, self._globals)


_Lane = tuple[str, int] | None
"""A lane of a vector as (value, its lane), or None where it may be anything."""


class Loop:
    """A running loop: `index`, and `carried` values whose next ones are given to `next`."""

    def __init__(self, index: V, carried: list[V]) -> None:
        self.index = index
        self.carried = carried
        self._next: list[V] = list(carried)

    def next(self, *values: V) -> None:
        """Set the values that the following iteration, or the code after the loop, sees."""
        self._next = list(values)


class Function:
    """Writes one function in SSA form, line by line; call `finish` once, after the last `ret`."""

    def __init__(
        self,
        module: Module,
        name: str,
        params: Sequence[tuple[str, str]],
        ret: str = "void",
        *,
        internal: bool = False,
        attributes: str = "nounwind",
    ) -> None:
        self.module = module
        self.name = name
        self.ret_type = ret
        self._internal = internal
        self._attributes = attributes
        self.params = [V(f"%{n}", t) for n, t in params]
        self._param_text = ", ".join(f"{t} %{n}" for n, t in params)
        self._lines: list[str] = ["entry:"]
        self._entry_allocas: list[str] = []
        self._count = 0
        self._known: dict[str, V] = {}
        self._loaded: dict[str, V] = {}
        self._lanes: dict[str, tuple[_Lane, ...]] = {}
        self._shuffled: dict[tuple[str, tuple[_Lane, ...]], V] = {}
        self._displaced: dict[tuple[str, str], tuple[V, int]] = {}
        self.label = "entry"

    def finish(self) -> None:
        """Add the function to its module."""
        lines = [self._lines[0], *self._entry_allocas, *self._lines[1:]]
        self.module.add(self.name, "\n".join([self._head, *lines, "}"]))

    def finish_later(self, write: Callable[[], None]) -> None:
        """Add the function to its module, which has `write` write and finish it if its text is asked for."""
        self.module.add_later(self.name, self._head, write)

    @property
    def _head(self) -> str:
        linkage = "internal " if self._internal else ""
        return f"define {linkage}{self.ret_type} @{self.name}({self._param_text}) {self._attributes} {{"

    def fresh(self) -> str:
        """A new SSA name."""
        self._count += 1
        return f"%v{self._count}"

    def line(self, text: str) -> None:
        """Write one raw instruction line, which may write to memory."""
        self._lines.append("  " + text)
        self._loaded.clear()

    def value(self, type_: str, text: str) -> V:
        """Write `%new = text` and return it as a value of that type."""
        self._count = count = self._count + 1
        self._lines.append(f"  %v{count} = {text}")
        return V(f"%v{count}", type_)

    def pure(self, type_: str, text: str) -> V:
        """As `value` for what depends on its operands alone: written once a block."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self.value(type_, text)
        return found

    # ---- blocks and branches

    def new_label(self, hint: str) -> str:
        """A new unused block label."""
        self._count += 1
        return f"{hint}{self._count}"

    def start(self, label: str) -> None:
        """Begin the block of that label (the previous one must be terminated)."""
        self._lines.append(f"{label}:")
        self._known.clear()
        self._loaded.clear()
        self._shuffled.clear()
        self.label = label

    def jump(self, label: str) -> None:
        """Branch always."""
        self.line(f"br label %{label}")

    def branch(self, condition: V, then: str, otherwise: str) -> None:
        """Branch on an i1."""
        self.line(f"br i1 {condition.text}, label %{then}, label %{otherwise}")

    def ret(self, value: V | None = None) -> None:
        """Return."""
        self.line("ret void" if value is None else f"ret {value}")

    def phi(self, *incoming: tuple[V, str]) -> V:
        """A phi of (value, from label) pairs."""
        type_ = incoming[0][0].type
        return self.value(type_, f"phi {type_} " + ", ".join(f"[ {v.text}, %{b} ]" for v, b in incoming))

    @contextmanager
    def when(self, condition: V) -> Iterator[None]:
        """Run the body only if the i1 holds; the body's values are not visible after it."""
        then, done = self.new_label("then"), self.new_label("done")
        self.branch(condition, then, done)
        self.start(then)
        yield
        self.jump(done)
        self.start(done)

    @contextmanager
    def loop(self, low: V, high: V, step: V | int = 1, carried: Sequence[V] = ()) -> Iterator[Loop]:
        """`for index in range(low, high, step)` with loop-carried values.

        After the block, `loop.carried` are the final values (the initial ones if it ran zero times).
        """
        head, body, done = self.new_label("head"), self.new_label("body"), self.new_label("end")
        before = self.label
        step_value = step if isinstance(step, V) else int_(step, low.type)
        self.jump(head)
        self.start(head)
        index = V(self.fresh(), low.type)
        phis = [V(self.fresh(), v.type) for v in carried]
        hole = len(self._lines)
        self._lines += [""] * (1 + len(phis))
        self.branch(self.icmp("slt", index, high), body, done)
        self.start(body)
        loop = Loop(index, phis)
        yield loop
        following = self.add(index, step_value)
        latch = self.label
        self.jump(head)
        pairs = [(index, low, following), *zip(phis, carried, loop._next, strict=True)]
        for offset, (phi, first, later) in enumerate(pairs):
            incoming = f"[ {first.text}, %{before} ], [ {later.text}, %{latch} ]"
            self._lines[hole + offset] = f"  {phi.text} = phi {phi.type} {incoming}"
        self.start(done)

    @contextmanager
    def repeat(self, condition: Callable[..., V], carried: Sequence[V]) -> Iterator[Loop]:
        """`while condition(*carried)`: give the next values to `next`; `carried` are the final ones after it.

        `condition` writes an i1; `index` is not set.
        """
        head, body, done = self.new_label("head"), self.new_label("body"), self.new_label("end")
        before = self.label
        self.jump(head)
        self.start(head)
        phis = [V(self.fresh(), v.type) for v in carried]
        hole = len(self._lines)
        self._lines += [""] * len(phis)
        self.branch(condition(*phis), body, done)
        self.start(body)
        loop = Loop(int_(0), phis)
        yield loop
        latch = self.label
        self.jump(head)
        for offset, (phi, first, later) in enumerate(zip(phis, carried, loop._next, strict=True)):
            incoming = f"[ {first.text}, %{before} ], [ {later.text}, %{latch} ]"
            self._lines[hole + offset] = f"  {phi.text} = phi {phi.type} {incoming}"
        self.start(done)

    # ---- arithmetic

    def binary(self, op: str, a: V, b: V) -> V:
        """Any two-operand instruction, e.g. `fadd`, `mul`, `and`."""
        assert a.type == b.type, f"{op} of {a} and {b}"
        return self.pure(a.type, f"{op} {a.type} {a.text}, {b.text}")

    def add(self, a: V, b: V) -> V:
        """Integer addition."""
        if b.text == "0":
            return a
        if a.text == "0":
            return b
        return self.binary("add", a, b)

    def sub(self, a: V, b: V) -> V:
        """Integer subtraction."""
        return a if b.text == "0" else self.binary("sub", a, b)

    def mul(self, a: V, b: V) -> V:
        """Integer multiplication."""
        if b.text == "1":
            return a
        if a.text == "1":
            return b
        if a.text == "0" or b.text == "0":
            return int_(0, a.type)
        if a.text.isdigit() and b.text.isdigit():
            return int_(int(a.text) * int(b.text), a.type)
        return self.binary("mul", a, b)

    def icmp(self, predicate: str, a: V, b: V) -> V:
        """Integer comparison: eq ne slt sle sgt sge ult ule ugt uge."""
        assert a.type == b.type, f"icmp of {a} and {b}"
        return self.pure(vector_of("i1", a.lanes), f"icmp {predicate} {a.type} {a.text}, {b.text}")

    def fcmp(self, predicate: str, a: V, b: V) -> V:
        """Float comparison: oeq une olt ole ogt oge uno ord ..."""
        assert a.type == b.type, f"fcmp of {a} and {b}"
        return self.pure(vector_of("i1", a.lanes), f"fcmp {predicate} {a.type} {a.text}, {b.text}")

    def select(self, condition: V, a: V, b: V) -> V:
        """`condition ? a : b`, per lane for a vector condition."""
        assert a.type == b.type, f"select of {a} and {b}"
        return self.value(a.type, f"select {condition}, {a}, {b}")

    def smin(self, a: V, b: V) -> V:
        """Signed integer minimum."""
        return self.call(f"llvm.smin.{mangle(a.type)}", a.type, a, b)

    def smax(self, a: V, b: V) -> V:
        """Signed integer maximum."""
        return self.call(f"llvm.smax.{mangle(a.type)}", a.type, a, b)

    def fma(self, a: V, b: V, c: V) -> V:
        """a * b + c with one rounding."""
        return self.call(f"llvm.fma.{mangle(a.type)}", a.type, a, b, c)

    def convert(self, op: str, value: V, scalar: str) -> V:
        """A conversion instruction (sext, zext, trunc, sitofp, fpext, bitcast ...) lane by lane."""
        type_ = vector_of(scalar, value.lanes)
        return value if type_ == value.type else self.pure(type_, f"{op} {value} to {type_}")

    def bitcast(self, value: V, type_: str) -> V:
        """Reinterpret the bits as another type of the same size."""
        return value if type_ == value.type else self.pure(type_, f"bitcast {value} to {type_}")

    def call(self, name: str, ret: str, *args: V) -> V:
        """Call a function or intrinsic, declaring it if it is not defined in this module."""
        self.module.declare(name, ret, [a.type for a in args])
        text = f"call {ret} @{name}({', '.join(str(a) for a in args)})"
        if ret == "void":
            self.line(text)
            return V("", "void")
        if not name.startswith("llvm."):
            self._loaded.clear()
        return self.value(ret, text)

    def call_pointer(self, function: V, *args: V) -> None:
        """Call a void function through a pointer."""
        self.line(f"call void {function.text}({', '.join(str(a) for a in args)})")

    # ---- vectors

    def splat(self, value: V, lanes: int) -> V:
        """Broadcast a scalar to all lanes."""
        if lanes == 1 or value.lanes > 1:
            return value
        type_ = vector_of(value.type, lanes)
        if not value.text.startswith(("%", "@")):
            return V("zeroinitializer", type_) if value.text == "0" else V(f"splat ({value})", type_)
        one = self.pure(type_, f"insertelement {type_} poison, {value}, i64 0")
        made = self.pure(
            type_, f"shufflevector {type_} {one.text}, {type_} poison, <{lanes} x i32> zeroinitializer"
        )
        self._lanes[made.text] = ((value.text, 0),) * lanes
        return made

    def extract(self, vector: V, lane: int) -> V:
        """One lane as a scalar."""
        return self.value(vector.scalar, f"extractelement {vector}, i64 {lane}")

    def insert(self, vector: V, element: V, lane: int) -> V:
        """The vector with one lane replaced."""
        return self.value(vector.type, f"insertelement {vector}, {element}, i64 {lane}")

    def shuffle(self, a: V, b: V, mask: Sequence[int]) -> V:
        """Pick lanes of `a` (0..n-1) and `b` (n..2n-1); a negative pick is any element.

        What has the same lanes is the same vector, within a block. LLVM's quickest code generator ends the
        process where several vectors are made of the same scalars from neighbouring addresses.
        """
        type_ = vector_of(a.scalar, len(mask))
        both = (*self._lanes_of(a), *self._lanes_of(b))
        lanes = tuple([both[m] if m >= 0 else None for m in mask])
        if not any(lanes):
            return V("poison", type_)
        found = self._shuffled.get((a.scalar, lanes))
        if found is None:
            picks = ", ".join([f"i32 {m}" if m >= 0 else "i32 poison" for m in mask])
            found = self.value(type_, f"shufflevector {a}, {b}, <{len(mask)} x i32> <{picks}>")
            self._lanes[found.text] = lanes
            self._shuffled[a.scalar, lanes] = found
        return found

    def _lanes_of(self, vector: V) -> tuple[_Lane, ...]:
        """Where each lane of a vector comes from."""
        found = self._lanes.get(vector.text)
        if found is None:
            is_any = vector.text == "poison"
            found = tuple([None if is_any else (vector.text, n) for n in range(vector.lanes)])
        return found

    def iota(self, lanes: int, scalar: str = "i64") -> V:
        """<0, 1, 2, ...>."""
        if lanes == 1:
            return int_(0, scalar)
        return V("<" + ", ".join(f"{scalar} {i}" for i in range(lanes)) + ">", vector_of(scalar, lanes))

    def tail_mask(self, count: V, lanes: int) -> V:
        """The i1 mask of the first `count` lanes (an i64 below `lanes`; larger counts give all lanes)."""
        narrow = self.convert("trunc", count, "i32")
        return self.icmp("slt", self.iota(lanes, "i32"), self.splat(narrow, lanes))

    def opaque(self, number: V) -> V:
        """The same i64, which LLVM knows nothing of."""
        return self.pure("i64", f'call i64 asm "", "=r,0"(i64 {number.text})')

    # ---- memory

    def gep(self, pointer: V, index: V, scalar: str) -> V:
        """The address of element `index` of an array of `scalar` at `pointer`."""
        if index.text == "0":
            return pointer
        if not index.text.isdigit():
            return self.pure("ptr", f"getelementptr {scalar}, {pointer}, {index}")
        base, before = self._displaced.get((pointer.text, scalar), (pointer, 0))
        total = before + int(index.text)
        moved = self.pure("ptr", f"getelementptr {scalar}, {base}, {index.type} {total}")
        self._displaced[moved.text, scalar] = base, total
        return moved

    def load(self, pointer: V, type_: str, align: int | None = None) -> V:
        """Load; the default alignment is that of one element."""
        text = f"load {type_}, {pointer}, align {align or size_of(scalar_of(type_))}"
        found = self._loaded.get(text)
        if found is None:
            found = self._loaded[text] = self.value(type_, text)
        return found

    def store(self, value: V, pointer: V, align: int | None = None) -> None:
        """Store; the default alignment is that of one element."""
        self.line(f"store {value}, {pointer}, align {align or size_of(value.scalar)}")

    def masked_load(self, pointer: V, type_: str, mask: V, other: V | None = None) -> V:
        """Load the lanes of the mask; the others are `other` or zero and are not touched in memory."""
        passed = other or V("zeroinitializer", type_)
        name = f"llvm.masked.load.{mangle(type_)}.p0"
        self.module.declare(name, type_, ["ptr", mask.type, type_])
        align = size_of(scalar_of(type_))
        return self.value(type_, f"call {type_} @{name}(ptr align {align} {pointer.text}, {mask}, {passed})")

    def masked_store(self, value: V, pointer: V, mask: V) -> None:
        """Store the lanes of the mask; the others are not touched in memory."""
        name = f"llvm.masked.store.{mangle(value.type)}.p0"
        self.module.declare(name, "void", [value.type, "ptr", mask.type])
        self.line(f"call void @{name}({value}, ptr align {size_of(value.scalar)} {pointer.text}, {mask})")

    def alloca(self, type_: str, count: int, align: int = 64) -> V:
        """Stack space for `count` elements, taken once at function entry."""
        name = self.fresh()
        self._entry_allocas.append(f"  {name} = alloca {type_}, i64 {count}, align {align}")
        return V(name, "ptr")

    def word(self, words: V, index: int, type_: str = "i64") -> V:
        """The i64 word `index` of an argument block, read as `type_` (i64, ptr, double, or float)."""
        return self.load(self.gep(words, int_(index), "i64"), type_, 8)
