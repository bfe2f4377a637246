"""Non-maximum suppression: the best boxes of a class that overlap no better one too much.

Decides how boxes of equal scores and bad numbers compare, as the reference does; must not know ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto

from sardonyx.base import dtype as dt
from sardonyx.base.abi import Context
from sardonyx.base.named import NamedTuple
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.kernels.access import compressed
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.select.heap import define_sort, key_of
from sardonyx.kernels.share import split
from sardonyx.llvm.lanes import Lanes, any_lane
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_


class Word(IntEnum):
    """Argument words: BOXES [BATCHES, SIZE, 4] and SCORES [BATCHES, CLASSES, SIZE], f32 without gaps.

    LIMIT (i64), OVERLAP and LEAST (f32) are addresses of single elements, or 0. KEPT is workspace, i64: the
    number of boxes of each class, then up to CAPACITY of them each. Results: ROWS (i64) of (batch, class,
    box), and NUMBER (i64) of them; ROWS may be 0.
    """

    BOXES = 0
    SCORES = auto()
    LIMIT = auto()
    OVERLAP = auto()
    LEAST = auto()
    KEPT = auto()
    ROWS = auto()
    NUMBER = auto()
    BATCHES = auto()
    CLASSES = auto()
    SIZE = auto()
    CAPACITY = auto()
    WORDS = auto()


_SIZES = (Word.BATCHES, Word.CLASSES, Word.SIZE, Word.CAPACITY)
_SIDES = 5


def nms_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that selects the boxes of all classes."""
    target = goal.target
    root = group.root
    boxes, scores, *rest = root.args
    batches, classes, size = scores.shape
    capacity = root.attrs["capacity"]
    centred = bool(root.attrs["centred"])
    kept = Storage("arena", dt.I64, batches * classes * (capacity + 1))
    words: dict[int, Argument] = {}
    words |= {Word.BATCHES: batches, Word.CLASSES: classes, Word.SIZE: size, Word.CAPACITY: capacity}
    words[Word.KEPT] = Address(kept)
    operands = [(Word.BOXES, boxes), (Word.SCORES, scores)]
    operands += [(Word[name.upper()], v) for name, v in zip(root.attrs["extras"], rest, strict=True)]
    words |= {word: Address.of(places[v.id]) for word, v in operands}
    results = [p for p in group.results if p is not None]
    for word, place in zip((Word.ROWS, Word.NUMBER), group.results, strict=True):
        if place is not None:
            words[word] = Address.of(place)
    symbol = f"sdx_nms_{'centred' if centred else 'corners'}"
    call = NativeCall(
        symbol,
        in_order(words, Word.WORDS),
        tuple(places[v.id].storage for _, v in operands),
        (kept, *(place.storage for place in results)),
        root.origins,
        work=scores.size * 8,
        scratch_bytes=size * 12 + (capacity + 2 * target.lanes) * (4 * _SIDES) + 64,
        kind="nms",
        plan=f"up to {capacity} of {size} boxes for each of {batches} x {classes} classes",
    )
    yield call, {symbol: lambda: nms_ir(symbol, centred, target)}


def nms_ir(symbol: str, centred: bool, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    functions = define_sort(module, symbol, "i64", lambda f, _, a, b: f.icmp("ult", a, b))
    _Writer(module, symbol, centred, target, *functions).write()
    return module.text()


class _Box(NamedTuple):
    """The sides of a box, or of a vector of boxes, and its area."""

    top: Lanes
    left: Lanes
    bottom: Lanes
    right: Lanes
    area: Lanes


class _Writer:
    """Writes the kernel: threads share the classes, then one writes all rows.

    The heap of a class holds (score, complement of the place) with the best on top.
    """

    def __init__(
        self, module: Module, symbol: str, centred: bool, target: Target, build: str, sink: str
    ) -> None:
        self.f = Function(module, symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.centred, self.target, self.build, self.sink = centred, target, build, sink
        args, self.ctx = self.f.params
        self.word: dict[Word, V] = {
            w: self.f.word(args, w, "i64" if w in _SIZES else "ptr") for w in Word if w is not Word.WORDS
        }
        self.vector = vector_of("float", target.lanes)

    def write(self) -> None:
        """Add the function to its module."""
        f, word = self.f, self.word
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        self.heap = f.word(self.ctx, Context.SCRATCH, "ptr")
        lanes = int_(self.target.lanes)
        self.pitch = f.mul(f.binary("udiv", f.add(word[Word.CAPACITY], lanes), lanes), lanes)
        places = f.gep(self.heap, word[Word.SIZE], "i64")
        self.places = places
        self.sides = f.gep(places, f.add(word[Word.SIZE], lanes), "i32")
        zero = int_(0)
        self.limit = f.smin(self._given(Word.LIMIT, "i64", zero), word[Word.CAPACITY])
        self.overlap = self._given(Word.OVERLAP, "float", float_(0.0))
        self.least = self._given(Word.LEAST, "float", float_(0.0))
        self.has_least = f.icmp("ne", word[Word.LEAST], V("null", "ptr"))
        lists = f.mul(word[Word.BATCHES], word[Word.CLASSES])
        self.first_kept = f.gep(word[Word.KEPT], lists, "i64")
        with f.loop(*split(f, lists, tid, threads)) as loop:
            self._list(loop.index)
        f.call("sdx_barrier", "void", self.ctx)
        with f.when(f.icmp("eq", tid, int_(0))):
            self._write_rows(lists)
        f.ret()
        f.finish()

    def _given(self, word: Word, scalar: str, default: V) -> V:
        """An optional single element."""
        f = self.f
        slot = f.alloca(scalar, 1)
        f.store(default, slot)
        with f.when(f.icmp("ne", self.word[word], V("null", "ptr"))):
            f.store(f.load(self.word[word], scalar), slot)
        return f.load(slot, scalar)

    def _kept(self, number: V) -> V:
        """Where the boxes of a list are kept."""
        return self.f.gep(self.first_kept, self.f.mul(number, self.word[Word.CAPACITY]), "i64")

    def _list(self, number: V) -> None:
        """Select the boxes of one class of one batch."""
        f, word = self.f, self.word
        size, nothing = word[Word.SIZE], V("null", "ptr")
        scores = f.gep(word[Word.SCORES], f.mul(number, size), "float")
        batch = f.binary("udiv", number, word[Word.CLASSES])
        boxes = f.gep(word[Word.BOXES], f.mul(f.mul(batch, size), int_(4)), "float")
        with f.loop(int_(0), f.mul(self.pitch, int_(_SIDES))) as side:
            f.store(float_(0.0), f.gep(self.sides, side.index, "float"))
        count = self._candidates(scores, size)
        f.call(self.build, "void", nothing, self.heap, count)

        def more(kept: V, left: V) -> V:
            return f.binary("and", f.icmp("slt", kept, self.limit), f.icmp("sgt", left, int_(0)))

        with f.repeat(more, [int_(0), count]) as loop:
            kept, left = loop.carried
            place = f.binary("and", f.binary("xor", f.load(self.heap, "i64"), int_(-1)), int_(0xFFFFFFFF))
            left = f.sub(left, int_(1))
            f.store(f.load(f.gep(self.heap, left, "i64"), "i64"), self.heap)
            with f.when(f.icmp("sgt", left, int_(0))):
                f.call(self.sink, "void", nothing, self.heap, int_(0), left)
            box = self._box(f.gep(boxes, f.mul(place, int_(4)), "float"))
            lives = f.binary("xor", self._is_hidden(box, kept), int_(1, "i1"))
            with f.when(lives):
                for row, value in enumerate(box):
                    at = f.add(kept, f.mul(self.pitch, int_(row)))
                    f.store(value.v, f.gep(self.sides, at, "float"))
                f.store(place, f.gep(self._kept(number), kept, "i64"))
            loop.next(f.add(kept, f.convert("zext", lives, "i64")), left)
        f.store(loop.carried[0], f.gep(word[Word.KEPT], number, "i64"))

    def _candidates(self, scores: V, size: V) -> V:
        """Fill the heap with the boxes whose score is high enough, unordered; returns their number."""
        f, lanes = self.f, self.target.lanes
        lowest = f.splat(self.least, lanes)
        all_pass = f.splat(f.binary("xor", self.has_least, int_(1, "i1")), lanes)
        with f.loop(int_(0), size, lanes, [int_(0)]) as block:
            mask = f.tail_mask(f.sub(size, block.index), lanes)
            some = f.masked_load(f.gep(scores, block.index, "float"), self.vector, mask)
            passes = f.binary("and", mask, f.binary("or", all_pass, f.fcmp("ogt", some, lowest)))
            first = f.splat(f.convert("trunc", block.index, "i32"), lanes)
            places, count = compressed(f, f.add(f.iota(lanes, "i32"), first), passes, self.target)
            f.store(places, f.gep(self.places, block.carried[0], "i32"))
            block.next(f.add(block.carried[0], count))
        total = block.carried[0]
        with f.loop(int_(0), total) as loop:
            place = f.convert("zext", f.load(f.gep(self.places, loop.index, "i32"), "i32"), "i64")
            entry = self._entry(f.load(f.gep(scores, place, "float"), "float"), place)
            f.store(entry, f.gep(self.heap, loop.index, "i64"))
        return total

    def _entry(self, score: V, place: V) -> V:
        """A heap entry; NaN comes last."""
        f = self.f
        key = f.select(f.fcmp("uno", score, score), int_(0, "i32"), key_of(f, score, dt.F32))
        high = f.binary("shl", f.convert("zext", key, "i64"), int_(32))
        return f.binary("or", high, f.binary("xor", place, int_(0xFFFFFFFF)))

    def _box(self, at: V) -> _Box:
        f = self.f
        a, b, c, d = (Lanes(f, f.load(f.gep(at, int_(n), "float"), "float")) for n in range(4))
        if self.centred:
            tall, wide = d * 0.5, c * 0.5
            top, left, bottom, right = b - tall, a - wide, b + tall, a + wide
        else:
            top, bottom = (a < c).choose(a, c), (a > c).choose(a, c)
            left, right = (b < d).choose(b, d), (b > d).choose(b, d)
        return _Box(top, left, bottom, right, (bottom - top) * (right - left))

    def _is_hidden(self, box: _Box, kept: V) -> V:
        """Whether one of the boxes kept so far overlaps this one too much."""
        f, lanes = self.f, self.target.lanes
        wide = _Box(*(Lanes(f, f.splat(side.v, lanes)) for side in box))
        overlap = Lanes(f, f.splat(self.overlap, lanes))
        with f.loop(int_(0), kept, lanes, [int_(0, "i1")]) as loop:
            at = [f.add(loop.index, f.mul(self.pitch, int_(side))) for side in range(_SIDES)]
            other = _Box(*(Lanes(f, f.load(f.gep(self.sides, n, "float"), self.vector)) for n in at))
            tall = _smaller(wide.bottom, other.bottom) - _larger(wide.top, other.top)
            across = _smaller(wide.right, other.right) - _larger(wide.left, other.left)
            common = tall * across
            union = wide.area + other.area - common
            proper = [tall > 0.0, across > 0.0, wide.area > 0.0, other.area > 0.0, union > 0.0, common > 0.0]
            hidden = common > overlap * union
            for condition in proper:
                hidden = hidden & condition
            loop.next(f.binary("or", loop.carried[0], any_lane(f, hidden.v)))
        return loop.carried[0]

    def _write_rows(self, lists: V) -> None:
        f, word = self.f, self.word
        wanted = f.icmp("ne", word[Word.ROWS], V("null", "ptr"))
        with f.loop(int_(0), lists, 1, [int_(0)]) as loop:
            count = f.load(f.gep(word[Word.KEPT], loop.index, "i64"), "i64")
            batch = f.binary("udiv", loop.index, word[Word.CLASSES])
            kind = f.binary("urem", loop.index, word[Word.CLASSES])
            kept = self._kept(loop.index)
            with f.loop(int_(0), f.select(wanted, count, int_(0))) as box:
                row = f.gep(word[Word.ROWS], f.mul(f.add(loop.carried[0], box.index), int_(3)), "i64")
                place = f.load(f.gep(kept, box.index, "i64"), "i64")
                for column, value in enumerate((batch, kind, place)):
                    f.store(value, f.gep(row, int_(column), "i64"))
            loop.next(f.add(loop.carried[0], count))
        with f.when(f.icmp("ne", word[Word.NUMBER], V("null", "ptr"))):
            f.store(loop.carried[0], word[Word.NUMBER])


def _smaller(a: Lanes, b: Lanes) -> Lanes:
    return (a < b).choose(a, b)


def _larger(a: Lanes, b: Lanes) -> Lanes:
    return (a > b).choose(a, b)
