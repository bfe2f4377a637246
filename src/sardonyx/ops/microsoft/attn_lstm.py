"""AttnLSTM of com.microsoft: an LSTM that reads a memory by Bahdanau's attention after every step."""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, concat, dim_value, iota, make, many, scalar
from sardonyx.ops.demands import ranked, shaped
from sardonyx.ops.onnx.index import within
from sardonyx.ops.onnx.rnn import CELL, Cell, Layer
from sardonyx.ops.onnx.scan import scan_over
from sardonyx.ops.subgraph import Formula
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Reader:
    """The attention of one direction: keys [B, M, A], memory [B, M, D], which steps there are [B, M].

    `query` is [H, A], `v` [A], `layer` [H + D, W] if there is one.
    """

    keys: Value
    memory: Value
    exists: Value
    query: Value
    v: Value
    layer: Value | None = None

    @property
    def width(self) -> Dim:
        """The size of what is read."""
        return self.memory.shape[2] if self.layer is None else self.layer.shape[1]

    @property
    def values(self) -> tuple[Value, ...]:
        """What a reader is made of."""
        found = (self.keys, self.memory, self.exists, self.query, self.v)
        return found if self.layer is None else (*found, self.layer)

    def read(self, h: Value) -> Value:
        """What a state [B, H] reads [B, width]."""
        batch, steps, size = self.keys.shape
        asked = h.dot(self.query).reshape((batch, 1, size))
        scores = ((self.keys + asked).tanh() * self.v).sum(2).reshape((batch, steps))
        greatest = self.exists.where(scores, -float("inf")).reduce_max(1)
        powers = self.exists.where((scores - greatest).exp(), 0)
        shares = powers / powers.sum(1)
        context = shares.reshape((batch, 1, steps)).dot(self.memory).reshape((batch, self.memory.shape[2]))
        return context if self.layer is None else concat([h, context], 1).dot(self.layer)


@op("AttnLSTM", domain=MICROSOFT)
def attn_lstm(
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    initial_c: Value | None = None,
    p: Value | None = None,
    qw: Value | None = None,
    mw: Value | None = None,
    v: Value | None = None,
    m: Value | None = None,
    memory_seq_lens: Value | None = None,
    aw: Value | None = None,
    *,
    cell: Cell = CELL,
    input_forget: int = 0,
) -> tuple[Value, Value, Value]:
    """LSTM over x [T, B, I] and what its last state read in a memory [B, M, D]; W is [2, 4H, I + D]."""
    layer = Layer.of(cell, 0, ("Sigmoid", "Tanh", "Tanh"))
    if qw is None or mw is None or v is None or m is None:
        raise ShapeError("AttnLSTM needs the weights QW, MW and V of its attention, and the memory M")
    ranked(x, "the input X", 3)
    w, r, b, p = layer.sized(4, w, r, b, p)
    steps, batch = x.shape[:2]
    hidden = r.shape[2]
    lengths = _lengths(sequence_lens, "sequence_lens", batch, steps)
    ways, asks = layer.directions, (qw, mw, v, aw)
    readers = [_reader(n, ways, asks, m, memory_seq_lens) for n in range(ways)]
    if memory_seq_lens is not None:
        # Nobody needs what the last step reads: the check of these lengths must not go with it.
        some = readers[0].exists.slice((0, 0), (batch, 1)).reshape((batch,))
        lengths = some.where(lengths, 0)
    states = [layer.state(s, batch, hidden, x) for s in (initial_h, initial_c)]
    results = []
    for n, reader in enumerate(readers):
        weights = [None if t is None else _of(t, n) for t in (w, r, b, p)]
        start = [_of(s, n) for s in states]
        one = _Direction(layer, n, reader, lengths, bool(input_forget))
        results.append(one.run(x, weights, start))
    y, h, c = (
        concat([part.reshape((*part.shape[:at], 1, *part.shape[at:])) for part in parts], at)
        for parts, at in zip(zip(*results, strict=True), (1, 0, 0), strict=True)
    )
    return y, h, c


def _of(x: Value, direction: int) -> Value:
    """The part [...] of [directions, ...] of one direction."""
    rest = x.shape[1:]
    return x.slice((direction, *(0,) * len(rest)), (1, *rest)).reshape(rest)


def _lengths(given: Value | None, what: str, batch: Dim, most: Dim) -> Value:
    """How long each sample is [B], int64; a run with one that is not in 1 .. most is refused.

    Nothing can be read in a memory of length 0.
    """
    if given is None:
        return dim_value(most, dt.I64).broadcast((batch,))
    return within(shaped(given, what, batch).cast(dt.I64) - 1, most) + 1


def _reader(
    n: int,
    directions: int,
    weights: tuple[Value, Value, Value, Value | None],
    memory: Value,
    lengths: Value | None,
) -> Reader:
    """The attention of direction n."""
    ranked(memory, "the memory M", 3)
    batch, steps, depth = memory.shape
    qw, mw, v, aw = weights
    for value, what, rank in ((qw, "QW", 3), (mw, "MW", 3), (v, "V", 2)):
        ranked(value, f"the weights {what}", rank)
    hidden, size = qw.shape[1], v.shape[1]
    keys = memory.dot(_of(shaped(mw, "the weights MW", directions, depth, size), n))
    known = _lengths(lengths, "memory_seq_lens", batch, steps)
    exists = iota((1, steps), 1, dt.I64).lt(known.reshape((batch, 1)))
    query = _of(shaped(qw, "the weights QW", directions, hidden, size), n)
    own = _of(shaped(v, "the weights V", directions, size), n)
    if aw is None:
        return Reader(keys, memory, exists, query, own)
    ranked(aw, "the weights AW", 3)
    layer = shaped(aw, "the weights AW", directions, hidden + depth, aw.shape[2])
    return Reader(keys, memory, exists, query, own, _of(layer, n))


@dataclass(frozen=True, slots=True)
class _Direction:
    """One direction of the layer."""

    layer: Layer
    index: int
    reader: Reader
    lengths: Value
    input_forget: bool

    @property
    def backwards(self) -> bool:
        """Whether each sample is read from its end."""
        return self.layer.direction == "reverse" or self.index == 1

    def run(self, x: Value, weights: list[Value | None], start: list[Value]) -> tuple[Value, Value, Value]:
        """All states [T, B, H], zeros behind the end of a sample, and the last ones [B, H]."""
        w, r, b, p = weights
        assert w is not None and r is not None
        steps, batch, inner = x.shape
        rows, hidden = r.shape
        if self.backwards:
            x = self._turned(x)
        w = shaped(w, "the weights W", rows, inner + self.reader.width)
        of_read = w.slice((0, inner), (rows, self.reader.width)).transpose(1, 0)
        gates = x.reshape((steps * batch, inner)).dot(w.slice((0, 0), (rows, inner)).transpose(1, 0))
        if b is not None:
            gates = gates + b.slice((0,), (rows,)) + b.slice((rows,), (rows,))
        extras = {} if p is None else {"peepholes": p.reshape((1, hidden * 3))}
        count = len(self.layer.activations) // self.layer.directions
        chosen = self.layer.activations[self.index * count :][:count]
        one_way = {"extras": tuple(extras), "direction": "forward", "activations": chosen}
        attrs = {**one_way, "clip": self.layer.clip, "input_forget": self.input_forget}
        state = (x.dtype, (1, batch, hidden))

        def step(h: Value, c: Value, read: Value, t: Value, gates: Value, *outer: Value) -> tuple[Value, ...]:
            of_read, recurrent, lengths = outer[:3]
            given, reader = outer[3 : 3 + len(extras)], Reader(*outer[3 + len(extras) :])
            whole = (gates + read.dot(of_read)).reshape((1, batch, 1, rows))
            states = [s.reshape((1, batch, hidden)) for s in (h, c)]
            kinds = [(h.dtype, (1, 1, batch, hidden)), state, state]
            found = many("lstm", (whole, recurrent, *states, *given), attrs, kinds)[1:]
            now_h, now_c = (s.reshape((batch, hidden)) for s in found)
            lives = t.lt(lengths).reshape((batch, 1))
            next_h, next_c = lives.where(now_h, h), lives.where(now_c, c)
            return next_h, next_c, reader.read(next_h), lives.where(now_h, 0)

        columns = r.transpose(1, 0).reshape((1, hidden, rows))
        outer = (of_read, columns, self.lengths, *extras.values(), *self.reader.values)
        names = ("h", "c", "read", "t", "gates"), ("next_h", "next_c", "next_read", "y")
        nothing = scalar(0, x.dtype).broadcast((batch, self.reader.width))
        arrays = (iota((steps,), 0, dt.I64), gates.reshape((steps, batch, rows)))
        h, c, _, y = scan_over(Formula(*names, step, outer), (*start, nothing), arrays)
        return (self._turned(y) if self.backwards else y), h, c

    def _turned(self, x: Value) -> Value:
        """The steps of each sample in reverse, what is behind its end where it is."""
        steps, batch, size = x.shape
        place = iota((steps, 1), 0, dt.I64)
        lengths = self.lengths.reshape((1, batch))
        index = place.lt(lengths).where(lengths - 1 - place, place).reshape((steps, batch, 1))
        index = index.broadcast((steps, batch, size))
        return make("gather_elements", (x, index), {"axis": 0}, x.dtype, x.shape)
