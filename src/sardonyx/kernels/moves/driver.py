"""`sdx_move_{bytes}`: copies strided tensors of elements of one size, told where by words alone.

Decides how a copy is cut into matrices that threads share. Must not know groups.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.abi import Context
from sardonyx.base.target import Target
from sardonyx.emit.shares import Shares
from sardonyx.emit.turn import Turn
from sardonyx.kernels.arguments import Move, MoveAxis, Moves
from sardonyx.kernels.moves.rows import KEPT_BYTES, Rows
from sardonyx.kernels.share import ceil_div, round_up
from sardonyx.llvm.vec import Function, Module, V, int_

MOST_AXES = 12
"""The most axes of a move."""
_BLOCK = 2048
"""Elements that a thread moves at a time, about."""
_LONGEST = 8192
"""Elements of a row that a thread moves at a time."""
_BLOCK_TURNED, _LONGEST_TURNED = 8192, 1024
"""The same where rows are turned."""
_FEW = 1000
"""Elements below which a move runs on one thread."""
_WORK = 2
"""Operations for an element."""


def symbol(size_bytes: int) -> str:
    """`void(ptr args, ptr ctx)` with words as `Move` says, for elements of a size."""
    return f"sdx_move_{size_bytes}"


def define_moves(module: Module, target: Target, turn: Turn) -> None:
    """Add the function for elements of a size, which calls that of `turn`."""
    name = symbol(turn.size_bytes)
    rows = Rows(module, f"{name}_matrix", target, turn)
    rows.write()
    run = f"{name}_run"
    _write_run(module, run, rows.name)
    _One(module, f"{name}_one", run, rows).write()
    f = Function(module, name, [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    with f.loop(int_(0), f.word(args, Moves.COUNT), 1, [f.gep(args, int_(Moves.FIRST), "i64")]) as loop:
        move = loop.carried[0]
        f.call(f"{name}_one", "void", move, ctx)
        axes = f.mul(f.word(move, Move.RANK), int_(MoveAxis.WORDS))
        loop.next(f.gep(f.gep(move, axes, "i64"), int_(Move.AXES), "i64"))
    f.ret()
    f.finish()


class _Counter:
    """Numbers matrices by digits, one for each axis around them: a block of words of a function.

    For each axis its extent, both steps, and the digit of the current matrix; the last axis counts fastest.
    """

    EXTENT, READ, WRITTEN, DIGIT = range(4)
    WORDS = 4

    def __init__(self, f: Function, block: V) -> None:
        self.f, self.block = f, block

    def word(self, axis: V, word: int) -> V:
        """The address of a word of an axis."""
        return self.f.gep(self.block, self.f.add(self.f.mul(axis, int_(self.WORDS)), int_(word)), "i64")

    def get(self, axis: V, word: int) -> V:
        """A word of an axis."""
        return self.f.load(self.word(axis, word), "i64", 8)

    def note(self, counted: Sequence[V], axis: Sequence[V]) -> list[V]:
        """Note an axis behind those so far, unless it has one point; their number and that of all points."""
        f, (number, points) = self.f, counted
        for word, value in enumerate([*axis, int_(0)]):
            f.store(value, self.word(number, word), 8)
        is_loop = f.convert("zext", f.icmp("ne", axis[0], int_(1)), "i64")
        return [f.add(number, is_loop), f.mul(points, axis[0])]

    def start(self, number: V, rank: V, places: Sequence[V]) -> list[V]:
        """Set the digits of a number; where its matrix is read and written."""
        f = self.f
        with f.loop(int_(0), rank, 1, [number, *places]) as loop:
            rest, at, to = loop.carried
            axis = f.sub(f.sub(rank, int_(1)), loop.index)
            extent = self.get(axis, self.EXTENT)
            digit = f.binary("urem", rest, extent)
            f.store(digit, self.word(axis, self.DIGIT), 8)
            at = f.gep(at, f.mul(digit, self.get(axis, self.READ)), "i8")
            to = f.gep(to, f.mul(digit, self.get(axis, self.WRITTEN)), "i8")
            loop.next(f.binary("udiv", rest, extent), at, to)
        return loop.carried[1:]

    def following(self, rank: V, places: Sequence[V]) -> list[V]:
        """Count on; where the next matrix is read and written."""
        f = self.f

        def more(axis: V, carry: V, *_: V) -> V:
            return f.binary("and", f.icmp("sge", axis, int_(0)), carry)

        with f.repeat(more, [f.sub(rank, int_(1)), int_(1, "i1"), *places]) as loop:
            axis, _, at, to = loop.carried
            extent, read, written, digit = (self.get(axis, word) for word in range(self.WORDS))
            digit = f.add(digit, int_(1))
            wraps = f.icmp("eq", digit, extent)
            f.store(f.select(wraps, int_(0), digit), self.word(axis, self.DIGIT), 8)
            steps = f.select(wraps, f.sub(int_(1), extent), int_(1))
            moved = (f.gep(p, f.mul(steps, step), "i8") for p, step in ((at, read), (to, written)))
            loop.next(f.sub(axis, int_(1)), wraps, *moved)
        return loop.carried[2:]


def _write_run(module: Module, name: str, matrix: str) -> None:
    """`run`: moves matrices one after the other, counted from where the counter stands.

    `row` and `column` are the words of the last two axes of the move, `*_axis` which axes count the blocks
    they are cut into: `*_size` points each. `far` is told to `matrix`.
    """
    pointers, numbers = ("counter", "last", "from", "to"), ("rank", "count")
    cuts = ("row_axis", "row_size", "column_axis", "column_size")
    f = Function(
        module,
        name,
        [*((p, "ptr") for p in pointers), *((n, "i64") for n in (*numbers, *cuts)), ("far", "i1")],
        internal=True,
    )
    block, last, source, to, rank, count, *cut, far = f.params
    counter = _Counter(f, block)
    row, column = ([f.word(last, first + n) for n in range(MoveAxis.WORDS)] for first in (0, MoveAxis.WORDS))

    def left(extent: V, axis: V, size: V) -> V:
        """How many points the current block of an axis has."""
        done = f.mul(counter.get(axis, _Counter.DIGIT), size)
        return f.smin(f.sub(extent, done), size)

    with f.loop(int_(0), count, 1, [source, to]) as loop:
        sides = left(row[0], *cut[:2]), left(column[0], *cut[2:])
        at, into = loop.carried
        f.call(matrix, "void", at, row[1], column[1], into, row[2], column[2], *sides, far)
        loop.next(*counter.following(rank, loop.carried))
    f.ret()
    f.finish()


class _One:
    """One move: its axes but the last two, and blocks of those two, are counted from matrix to matrix."""

    def __init__(self, module: Module, name: str, run: str, rows: Rows) -> None:
        self.f = Function(module, name, [("move", "ptr"), ("ctx", "ptr")], internal=True)
        self.run, self.lanes, self.size_bytes = run, rows.lanes, rows.size
        self.move, self.ctx = self.f.params
        self.counter = _Counter(self.f, self.f.alloca("i64", _Counter.WORDS * (MOST_AXES + 1)))

    def write(self) -> None:
        """Write the function."""
        f = self.f
        outer = f.sub(f.word(self.move, Move.RANK), int_(2))
        axes = f.gep(self.move, int_(Move.AXES), "i64")
        self.last = f.gep(axes, f.mul(outer, int_(MoveAxis.WORDS)), "i64")
        self.row, self.column = (
            [f.word(self.last, first + n) for n in range(MoveAxis.WORDS)] for first in (0, MoveAxis.WORDS)
        )
        with f.loop(int_(0), outer, 1, [int_(0), int_(1)]) as loop:
            words = f.gep(axes, f.mul(loop.index, int_(MoveAxis.WORDS)), "i64")
            loop.next(*self.counter.note(loop.carried, [f.word(words, n) for n in range(MoveAxis.WORDS)]))
        rank, matrices = loop.carried
        elements = f.mul(f.mul(matrices, self.row[0]), self.column[0])
        with f.when(f.icmp("sgt", elements, int_(0))):
            self.places = self._places()
            self.far = f.icmp("sge", f.mul(elements, int_(self.size_bytes)), int_(KEPT_BYTES))
            few, many, done = (f.new_label(n) for n in ("few", "many", "done"))
            f.branch(f.icmp("ult", elements, int_(_FEW)), few, many)
            f.start(few)
            with f.when(f.icmp("eq", f.word(self.ctx, Context.TID), int_(0))):
                whole = (int_(MOST_AXES), self.row[0], int_(MOST_AXES), self.column[0])
                f.store(int_(0), self.counter.word(int_(MOST_AXES), _Counter.DIGIT), 8)
                self._run(rank, self.places, matrices, whole)
            f.jump(done)
            f.start(many)
            self._shared(rank, matrices, elements)
            f.jump(done)
            f.start(done)
        f.ret()
        f.finish()

    def _places(self) -> list[V]:
        """Where the move begins to read and write."""
        f = self.f
        fed = f.word(self.move, Move.FROM, "ptr")
        is_own = f.icmp("eq", fed, V("null", "ptr"))
        source = f.select(is_own, f.gep(self.move, int_(Move.VALUE), "i64"), fed)
        return [source, f.word(self.move, Move.TO, "ptr")]

    def _shared(self, rank: V, matrices: V, elements: V) -> None:
        """Cut rows and columns into blocks, of which each thread moves its share."""
        f = self.f
        counted, cut = [rank, matrices], []
        sizes = self._block()
        for (extent, read, written), size in zip((self.row, self.column), sizes, strict=True):
            blocks = ceil_div(f, extent, size)
            cut += [f.select(f.icmp("sgt", blocks, int_(1)), counted[0], int_(MOST_AXES)), size]
            counted = self.counter.note(counted, [blocks, f.mul(read, size), f.mul(written, size)])
        rank, units = counted
        f.store(int_(0), self.counter.word(int_(MOST_AXES), _Counter.DIGIT), 8)
        threads = f.word(self.ctx, Context.NTHREADS)
        shares = Shares.of(f, self.ctx, threads, f.mul(elements, int_(_WORK)), units)
        with shares.mine(f) as share:
            low, high = (f.binary("udiv", f.mul(units, at), shares.units) for at in share)
            places = self.counter.start(low, rank, self.places)
            self._run(rank, places, f.sub(high, low), cut)

    def _block(self) -> list[V]:
        """How many rows and columns are moved at a time: whole squares of what is turned."""
        f, size, one = self.f, int_(self.size_bytes), int_(1)
        turns = f.binary("and", f.icmp("eq", self.row[1], size), f.icmp("ne", self.column[1], size))
        longest = f.select(turns, int_(_LONGEST_TURNED), int_(_LONGEST))
        columns = f.smin(self.column[0], longest)
        fitting = f.smax(f.binary("udiv", f.select(turns, int_(_BLOCK_TURNED), int_(_BLOCK)), columns), one)
        rows = f.select(turns, round_up(f, fitting, self.lanes), fitting)
        return [f.smin(rows, self.row[0]), columns]

    def _run(self, rank: V, places: Sequence[V], count: V, cut: Sequence[V]) -> None:
        self.f.call(self.run, "void", self.counter.block, self.last, *places, rank, count, *cut, self.far)
