"""Rows of bytes as signed ones around a centre, and apart from them what these are too large for.

With weights as unsigned bytes a sum of 16 bits holds two products if numbers of one sign add up to 128 at
most. Few pairs of neighbours are beyond that if the centre is the mean. Decides the layout of a tile's rows;
must not know who multiplies them.
"""

from __future__ import annotations

from sardonyx.base.instruction import MultiplyAdd
from sardonyx.base.named import IntEnum
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

MOST_ROWS = 5
FACTS_BYTES = 64
TERMS_AT = 16
ENTRY_BYTES, ENTRY_ROWS_AT = 32, 8
LEAST_CENTRE, MOST_CENTRE = 64, 192
"""Half of all bytes are at most 64 from either, the outer ones too: those behind a ReLU are near 0."""

_KEPT = 64
_DEPTH = 4
_STEPS_PER_ENTRY = 4
"""If more of the steps than one in so many are entered, two numbers of 16 bits are quicker."""


class Facts(IntEnum):
    """The i64 words that a tile of rows begins with; behind them, from TERMS_AT on, an i32 for each row.

    ENTRIES is -1 if rows are wide. A row's term is 128 times the sum of its numbers less the centre.
    """

    ENTRIES = 0
    CENTRE = 1


def pitch_of(f: Function, steps: V) -> V:
    """Bytes from row to row of a tile, half of that if they are wide."""
    return f.add(f.binary("and", f.add(f.mul(steps, int_(_DEPTH)), int_(63)), int_(-64)), int_(64))


def tile_bytes(f: Function, pitch: V) -> V:
    """Bytes of a tile of rows."""
    return f.add(f.mul(pitch, int_(2 * MOST_ROWS)), int_(FACTS_BYTES))


def entries_at(f: Function, tile: V, pitch: V) -> V:
    """Where the entries of a tile begin."""
    return f.gep(tile, f.add(f.mul(pitch, int_(MOST_ROWS)), int_(FACTS_BYTES)), "i8")


def define_rows(module: Module, lanes: int, instruction: MultiplyAdd) -> str:
    """Add `void @outliers_rows(ptr tile, ptr a, i64 rows, i64 row_bytes, i64 steps, i64 pitch)`; its name.

    Lays out rows of unsigned bytes in steps of four: Facts, then rows of signed bytes, and entries: the
    number of a step as i64, and of each row the four bytes to be multiplied with the same weights once more.
    Wide rows are two planes of 16 bits as they came, the even numbers of all steps and the odd ones.
    """
    name = "outliers_rows"
    if not module.has(name):
        params = [("tile", "ptr"), ("a", "ptr")]
        params += [(n, "i64") for n in ("rows", "row_bytes", "steps", "pitch")]
        f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        _Writer(f, lanes, instruction).write()
    return name


class _Writer:
    """Writes the function."""

    def __init__(self, f: Function, lanes: int, instruction: MultiplyAdd) -> None:
        self.f, self.lanes, self.instruction = f, lanes, instruction
        self.tile, self.a, self.rows, self.row_bytes, self.steps, self.pitch = f.params
        self.bytes = vector_of("i8", _DEPTH * lanes)
        self.halves, self.words = vector_of("i16", 2 * lanes), vector_of("i32", lanes)
        self.ones = int_(1, self.bytes)

    def write(self) -> None:
        f = self.f
        numbers = f.mul(self.steps, int_(_DEPTH))
        total = self._sum_rows()
        mean = f.binary("udiv", total, f.smax(f.mul(self.rows, numbers), int_(1)))
        centre = f.smin(f.smax(mean, int_(LEAST_CENTRE)), int_(MOST_CENTRE))
        self._set(Facts.CENTRE, centre)
        self._set(Facts.ENTRIES, int_(0))
        self.centre = f.splat(f.convert("trunc", centre, "i8"), self.bytes_lanes)
        most = f.binary("udiv", self.steps, int_(_STEPS_PER_ENTRY))
        far = f.icmp("sgt", self._keep_all(most), most)
        with f.when(f.binary("xor", far, int_(1, "i1"))):
            self._enter_all()
        with f.when(far):
            self._set(Facts.ENTRIES, int_(-1))
            self._set(Facts.CENTRE, int_(0))
            self._widen()
        self._set_terms(f.mul(f.word(self.tile, Facts.CENTRE), numbers))
        f.ret()
        f.finish()

    @property
    def bytes_lanes(self) -> int:
        return _DEPTH * self.lanes

    def _set(self, fact: Facts, value: V) -> None:
        self.f.store(value, self.f.gep(self.tile, int_(fact), "i64"), 8)

    def _term(self, row: V) -> V:
        return self.f.gep(self.f.gep(self.tile, int_(TERMS_AT), "i8"), row, "i32")

    def _there(self, step: V) -> V:
        """Which of the steps from one on there are."""
        return self.f.tail_mask(self.f.sub(self.steps, step), self.lanes)

    def _load(self, row: V, step: V, there: V) -> V:
        """Bytes of a row from a step on, zeros behind its end."""
        f = self.f
        return f.bitcast(f.masked_load(f.gep(row, step, "i32"), self.words, there), self.bytes)

    def _pairs(self, x: V) -> V:
        """Sums of neighbouring unsigned bytes."""
        return self.f.call(self.instruction.intrinsic, self.halves, x, self.ones)

    def _sum_rows(self) -> V:
        """The sum of all numbers; those of rows are kept as terms."""
        f = self.f
        with f.loop(int_(0), self.rows, 1, [self.a, int_(0)]) as row:
            at, total = row.carried
            with f.loop(int_(0), self.steps, self.lanes, [int_(0, self.words)]) as group:
                there = self._there(group.index)
                pairs = self._pairs(self._load(at, group.index, there))
                four = f.call(self.instruction.widen, self.words, pairs, int_(1, self.halves))
                group.next(f.add(group.carried[0], four))
            own = f.call(f"llvm.vector.reduce.add.v{self.lanes}i32", "i32", group.carried[0])
            f.store(own, self._term(row.index))
            row.next(f.gep(at, self.row_bytes, "i8"), f.add(total, f.convert("zext", own, "i64")))
        return row.carried[1]

    def _set_terms(self, centred: V) -> None:
        """Terms of the sums of rows."""
        f = self.f
        with f.loop(int_(0), self.rows) as row:
            own = f.sub(f.load(self._term(row.index), "i32"), f.convert("trunc", centred, "i32"))
            f.store(f.binary("shl", own, int_(7, "i32")), self._term(row.index))

    def _mark(self, step: V) -> V:
        """Where the bits of as many steps as a vector has are kept, behind what entries take."""
        f = self.f
        marks = f.gep(self.tile, f.add(f.mul(self.pitch, int_(2 * MOST_ROWS - 1)), int_(FACTS_BYTES)), "i8")
        return f.gep(marks, f.binary("udiv", step, int_(self.lanes)), f"i{self.lanes}")

    def _keep_all(self, most: V) -> V:
        """Store what may be added of all rows and mark the steps left; how many, or some more than most."""
        f = self.f

        def goes_on(step: V, count: V) -> V:
            return f.binary("and", f.icmp("slt", step, self.steps), f.icmp("sle", count, most))

        with f.repeat(goes_on, [int_(0), int_(0)]) as group:
            step, count = group.carried
            bits = self._keep(step)
            f.store(bits, self._mark(step))
            found = f.call("llvm.ctpop.i64", "i64", f.convert("zext", bits, "i64"))
            group.next(f.add(step, int_(self.lanes)), f.add(count, found))
        return group.carried[1]

    def _enter_all(self) -> None:
        """Add entries of the steps that are marked."""
        f = self.f
        self.entries = entries_at(f, self.tile, self.pitch)
        with f.loop(int_(0), self.steps, self.lanes) as group:
            bits = f.convert("zext", f.load(self._mark(group.index), f"i{self.lanes}"), "i64")
            with f.repeat(lambda bits: f.icmp("ne", bits, int_(0)), [bits]) as step:
                (left,) = step.carried
                self._enter(f.add(group.index, f.call("llvm.cttz.i64", "i64", left, int_(1, "i1"))))
                step.next(f.binary("and", left, f.sub(left, int_(1))))

    def _keep(self, step: V) -> V:
        """Store the numbers of all rows from a step on that may be added, as many as a vector has.

        Returns the bits of the steps of which something is left.
        """
        f = self.f
        there = self._there(step)
        begin = f.gep(f.gep(self.tile, int_(FACTS_BYTES), "i8"), step, "i32")
        with f.loop(int_(0), self.rows, 1, [self.a, begin, int_(0, self.words)]) as row:
            at, into, left = row.carried
            x = self._load(at, step, there)
            above, below = (
                f.call(f"llvm.usub.sat.v{self.bytes_lanes}i8", self.bytes, *pair)
                for pair in ((x, self.centre), (self.centre, x))
            )
            # 128 of one number is no signed byte.
            over = f.binary(
                "or",
                f.icmp("sgt", self._pairs(above), int_(2 * _KEPT - 1, self.halves)),
                f.icmp("sgt", self._pairs(below), int_(2 * _KEPT, self.halves)),
            )
            least = int_(_KEPT, self.bytes)
            limited = [
                f.call(f"llvm.umin.v{self.bytes_lanes}i8", self.bytes, v, least) for v in (above, below)
            ]
            pairs = [f.bitcast(v, self.halves) for v in (f.sub(*limited), f.sub(x, self.centre))]
            f.store(f.select(over, *pairs), into, 1)
            far = f.bitcast(f.convert("sext", over, "i16"), self.words)
            row.next(
                f.gep(at, self.row_bytes, "i8"), f.gep(into, self.pitch, "i8"), f.binary("or", left, far)
            )
        some = f.binary("and", f.icmp("ne", row.carried[2], int_(0, self.words)), there)
        return f.bitcast(some, f"i{self.lanes}")

    def _enter(self, step: V) -> None:
        """Add one or two entries of what is left of a step."""
        f, four = self.f, vector_of("i16", _DEPTH)
        count = f.word(self.tile, Facts.ENTRIES)
        entry = f.gep(self.entries, f.mul(count, int_(ENTRY_BYTES)), "i8")
        f.store(step, entry, 8)
        f.store(step, f.gep(entry, int_(ENTRY_BYTES), "i8"), 8)
        centre = f.splat(f.convert("trunc", f.word(self.tile, Facts.CENTRE), "i16"), _DEPTH)
        begin = [f.gep(self.a, step, "i32"), f.gep(f.gep(self.tile, int_(FACTS_BYTES), "i8"), step, "i32")]
        into = f.gep(entry, int_(ENTRY_ROWS_AT), "i8")
        with f.loop(int_(0), self.rows, 1, [*begin, into, int_(0)]) as row:
            at, kept_at, into, more = row.carried
            number, kept = (f.load(p, vector_of("i8", _DEPTH)) for p in (at, kept_at))
            left = f.sub(f.sub(f.convert("zext", number, "i16"), centre), f.convert("sext", kept, "i16"))
            first = f.smin(f.smax(left, int_(-_KEPT, four)), int_(_KEPT, four))
            rest = f.sub(left, first)
            f.store(f.convert("trunc", first, "i8"), into)
            f.store(f.convert("trunc", rest, "i8"), f.gep(into, int_(ENTRY_BYTES), "i8"))
            row.next(
                f.gep(at, self.row_bytes, "i8"),
                f.gep(kept_at, self.pitch, "i8"),
                f.gep(into, int_(_DEPTH), "i8"),
                f.binary("or", more, f.bitcast(rest, "i64")),
            )
        twice = f.convert("zext", f.icmp("ne", row.carried[3], int_(0)), "i64")
        self._set(Facts.ENTRIES, f.add(f.add(count, int_(1)), twice))

    def _widen(self) -> None:
        """Store both planes of all rows."""
        f = self.f
        with f.loop(int_(0), self.rows, 1, [self.a, f.gep(self.tile, int_(FACTS_BYTES), "i8")]) as row:
            at, into = row.carried
            with f.loop(int_(0), self.steps, self.lanes) as group:
                there = self._there(group.index)
                x = f.bitcast(self._load(at, group.index, there), self.halves)
                to = f.gep(into, group.index, "i32")
                f.store(even(f, x), to, 1)
                f.store(odd(f, x), f.gep(to, self.pitch, "i8"), 1)
            row.next(f.gep(at, self.row_bytes, "i8"), f.gep(into, f.mul(self.pitch, int_(2)), "i8"))


def even(f: Function, halves: V) -> V:
    """The first of each two unsigned bytes, in 16 bits."""
    return f.binary("and", halves, int_(0xFF, halves.type))


def odd(f: Function, halves: V) -> V:
    """The second of each two unsigned bytes, in 16 bits."""
    return f.binary("lshr", halves, int_(8, halves.type))
