"""LSTM, GRU, RNN and DynamicQuantizeLSTM: the product of inputs and weights as a `dot`, the rest a primitive.

Decides names, defaults and layouts; the recurrence itself is `lstm`, `lstm_quantized`, `gru` or `rnn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.algorithms.recurrent import ACTIVATIONS
from sardonyx.ir.value import Value, many, scalar
from sardonyx.ops.demands import equal, ranked, shaped
from sardonyx.ops.onnx.index import within
from sardonyx.ops.onnx.quant import quantize_dynamically
from sardonyx.ops.precision import centred, kept
from sardonyx.ops.table import Attributes, op

Strings = Sequence[str]
Floats = Sequence[float]

_ALPHA = {
    "Affine": 1.0,
    "LeakyRelu": 0.01,
    "ThresholdedRelu": 1.0,
    "ScaledTanh": 1.0,
    "HardSigmoid": 0.2,
    "Elu": 1.0,
}
_BETA = {"Affine": 0.0, "ScaledTanh": 1.0, "HardSigmoid": 0.5}
_NAMES = {name.lower(): name for name in ACTIVATIONS}


@dataclass(frozen=True, slots=True)
class Cell(Attributes):
    """The attributes that the three kinds of layer share."""

    activation_alpha: Floats = ()
    activation_beta: Floats = ()
    activations: Strings = ()
    clip: float | None = None
    direction: str = "forward"
    hidden_size: int | None = None


CELL, PLAIN_CELL = Cell(), Cell(activations=("Tanh", "Tanh"))


@dataclass(frozen=True, slots=True)
class Layer:
    """A node of one of the three kinds: directions, activations, clipping and layout."""

    direction: str
    activations: tuple[tuple[str, float, float], ...]
    clip: float | None
    batch_first: bool
    units: int | None

    @staticmethod
    def of(cell: Cell, layout: int, default: Strings) -> Layer:
        """The layer of a node; alphas and betas go to the functions that take one, in order."""
        direction = cell.direction
        if direction not in ("forward", "reverse", "bidirectional"):
            raise ShapeError(f"direction {direction!r} must be forward, reverse or bidirectional")
        count = 2 if direction == "bidirectional" else 1
        places = len(default) * count
        names = (tuple(cell.activations) or tuple(default) * count)[:places]
        if len(names) < places:
            raise ShapeError(f"{len(names)} activations given for {places} places")
        alphas, betas = iter(cell.activation_alpha), iter(cell.activation_beta)
        chosen = []
        for given in names:
            name = _NAMES.get(given.lower())
            if name is None:
                raise UnsupportedOp(f"the activation {given!r} is not supported")
            a = next(alphas, _ALPHA[name]) if name in _ALPHA else 0.0
            b = next(betas, _BETA[name]) if name in _BETA else 0.0
            chosen.append((name, float(a), float(b)))
        return Layer(direction, tuple(chosen), cell.clip or None, bool(layout), cell.hidden_size)

    @property
    def directions(self) -> int:
        """1, or 2 if bidirectional."""
        return 2 if self.direction == "bidirectional" else 1

    def attributes(self, extras: dict[str, Value], **own: Any) -> dict[str, Any]:
        """The attributes of the primitive."""
        shared = {"direction": self.direction, "activations": self.activations, "clip": self.clip}
        return {"extras": tuple(extras), **shared, **own}

    def time_first(self, x: Value) -> Value:
        """The input as [T, B, I]."""
        return x.transpose(1, 0, 2) if self.batch_first else x

    def state(
        self, given: Value | None, batch: Dim, hidden: Dim, like: Value, lens: Value | None = None
    ) -> Value:
        """An initial state as [D, B, H], zeros if it is missing.

        Samples of length 0 begin with zeros too, and so end with them, as in onnxruntime and OpenVINO.
        """
        if given is None:
            return scalar(0, like.dtype).broadcast((self.directions, batch, hidden))
        ranked(given, "an initial state", 3)
        state = given.transpose(1, 0, 2) if self.batch_first else given
        state = shaped(state, "an initial state (directions, batch, units)", self.directions, batch, hidden)
        if lens is None or (lens.data is not None and all(lens.data.flat)):
            return state
        return lens.eq(0).reshape((1, batch, 1)).where(scalar(0, state.dtype), state)

    def sized(
        self, gates: int, w: Value, r: Value, b: Value | None, p: Value | None = None
    ) -> tuple[Value, Value, Value | None, Value | None]:
        """Weights, biases and peepholes in the sizes that the number of units asks for."""
        ranked(w, "the weights W", 3)
        ranked(r, "the weights R", 3)
        hidden, count = r.shape[2], self.directions
        if self.units is not None:
            equal(hidden, self.units, "the units of the weights R and hidden_size differ")
        rows = hidden * gates
        return (
            shaped(w, "the weights W", count, rows, w.shape[2]),
            shaped(r, "the weights R", count, rows, hidden),
            None if b is None else shaped(b, "the bias B", count, rows * 2),
            None if p is None else shaped(p, "the peepholes P", count, hidden * 3),
        )

    def results(
        self, prim: str, args: Sequence[Value], attrs: dict[str, Any], states: int
    ) -> tuple[Value, ...]:
        """Y and the final states, in the layout of the node."""
        gates, h = args[0], args[-1 - len(attrs["extras"])]
        last = (gates.dtype, h.shape)
        y, *finals = many(prim, args, attrs, [(gates.dtype, (gates.shape[0], *h.shape)), *[last] * states])
        if not self.batch_first:
            return y, *finals
        return y.transpose(2, 0, 1, 3), *(f.transpose(1, 0, 2) for f in finals)


def _gates(x: Value, w: Value, bias: Value | None) -> Value:
    """x [T, B, I] times w [D, G, I], plus bias [D, G], as [T, B, D, G]."""
    directions, size, inner = w.shape
    ranked(x, "the input of a recurrent layer", 3)
    swapped = x.prim == "transpose" and x.attrs["perm"] == (1, 0, 2)
    rows = x.args[0] if swapped else x
    length, batch = rows.shape[:2]
    columns = w.reshape((directions * size, inner)).transpose(1, 0)
    y = rows.reshape((length * batch, rows.shape[2])).dot(columns)
    if bias is not None:
        y = y + bias.reshape((1, directions * size))
    y = y.reshape((length, batch, directions, size))
    return y.transpose(1, 0, 2, 3) if swapped else y


def _biases(b: Value | None, gates: int) -> tuple[Value | None, Value | None]:
    """The halves of B [D, 2G]: of the inputs and of the recurrence."""
    if b is None:
        return None, None
    half = b.shape[1] // 2
    return b.slice((0, 0), (b.shape[0], half)), b.slice((0, half), (b.shape[0], half))


def _joined(a: Value | None, b: Value | None) -> Value | None:
    return None if a is None or b is None else a + b


def _extras(x: Value, lens: Value | None, **given: Value | None) -> dict[str, Value]:
    """The optional arguments by name; lengths that are surely the whole length are left out."""
    if lens is not None and lens.data is not None and all(n == x.shape[0] for n in lens.data.flat):
        lens = None
    if lens is not None:
        lens = within(shaped(lens, "sequence_lens", x.shape[1]), x.shape[0] + 1)
    return {name: value for name, value in (("lens", lens), *given.items()) if value is not None}


@op("LSTM")
def lstm_1(
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    initial_c: Value | None = None,
    p: Value | None = None,
    *,
    cell: Cell = CELL,
    input_forget: int = 0,
    output_sequence: int = 0,
) -> tuple[Value, ...]:
    """LSTM with time first."""
    return lstm(x, w, r, b, sequence_lens, initial_h, initial_c, p, cell=cell, input_forget=input_forget)


@op("LSTM", since=14)
def lstm(
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    initial_c: Value | None = None,
    p: Value | None = None,
    *,
    cell: Cell = CELL,
    input_forget: int = 0,
    layout: int = 0,
) -> tuple[Value, ...]:
    """Long short-term memory: c' = f * c + i * g(...), h' = o * h(c'), gates from x @ w + h @ r + b."""
    layer = Layer.of(cell, layout, ("Sigmoid", "Tanh", "Tanh"))
    x = layer.time_first(x)
    w, r, b, p = layer.sized(4, w, r, b, p)
    gates = _gates(x, w, _joined(*_biases(b, 4)))
    hidden = r.shape[2]
    extras = _extras(x, sequence_lens, peepholes=p)
    lens = extras.get("lens")
    states = [layer.state(s, x.shape[1], hidden, x, lens) for s in (initial_h, initial_c)]
    args = (gates, r.transpose(0, 2, 1), *states, *extras.values())
    return layer.results("lstm", args, layer.attributes(extras, input_forget=bool(input_forget)), 2)


@op("DynamicQuantizeLSTM", domain="com.microsoft")
def dynamic_quantize_lstm(
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    initial_c: Value | None = None,
    p: Value | None = None,
    w_scale: Value | None = None,
    w_zero_point: Value | None = None,
    r_scale: Value | None = None,
    r_zero_point: Value | None = None,
    *,
    cell: Cell = CELL,
    input_forget: int = 0,
) -> tuple[Value, ...]:
    """LSTM with 8-bit weights w [D, I, 4H], r [D, H, 4H]; inputs and states are quantised by their range."""
    layer = Layer.of(cell, 0, ("Sigmoid", "Tanh", "Tanh"))
    if w_scale is None or r_scale is None:
        raise ShapeError("DynamicQuantizeLSTM needs the scales of both weights")
    # [D, I, 4H] are those of LSTM with the last axes swapped.
    w, r, b, p = layer.sized(4, w.transpose(0, 2, 1), r.transpose(0, 2, 1), b, p)
    w, r, bias = w.transpose(0, 2, 1), r.transpose(0, 2, 1), _joined(*_biases(b, 4))
    directions, inner, hidden = layer.directions, w.shape[1], r.shape[1]
    size = hidden * 4
    points, step, zero = quantize_dynamically(x)
    # [D, I, 4H] to [I, D * 4H], scales and zeros alongside: one product for both directions.
    w_zero = None if w_zero_point is None else _per_column(w_zero_point, directions, size)
    columns = centred(kept(w.transpose(1, 0, 2)), w_zero)
    sums = centred(points, zero).dot(columns.reshape((inner, directions * size)), dt.I32)
    scales = _per_column(w_scale, directions, size).reshape((directions * size,))
    gates = sums.cast(dt.F32) * (step * scales)
    if bias is not None:
        gates = gates + bias.reshape((directions * size,))
    gates = gates.reshape((*x.shape[:2], directions, size))
    extras = _extras(x, sequence_lens, peepholes=p)
    lens = extras.get("lens")
    states = [layer.state(s, x.shape[1], hidden, x, lens) for s in (initial_h, initial_c)]
    scale = _rows(r_scale, directions)
    origin = scalar(0, r.dtype) if r_zero_point is None else r_zero_point
    origin = _rows(origin, directions) if origin.rank else origin.broadcast((directions, 1))
    args = (gates, r, scale, origin, *states, *extras.values())
    return layer.results("lstm_quantized", args, layer.attributes(extras, input_forget=bool(input_forget)), 2)


def _rows(v: Value, directions: Dim) -> Value:
    """[D] or [D, 4H] as [D, 1] or [D, 4H]."""
    return v if v.rank == 2 else v.reshape((directions, 1))


def _per_column(v: Value, directions: Dim, size: Dim) -> Value:
    """[D] or [D, 4H] as [1, D, 4H]."""
    return _rows(v, directions).broadcast((directions, size)).reshape((1, directions, size))


@op("GRU")
def gru_1(
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    *,
    cell: Cell = CELL,
    linear_before_reset: int = 0,
    output_sequence: int = 0,
) -> tuple[Value, ...]:
    """GRU with time first."""
    return gru(x, w, r, b, sequence_lens, initial_h, cell=cell, linear_before_reset=linear_before_reset)


@op("GRU", since=14)
def gru(
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    *,
    cell: Cell = CELL,
    layout: int = 0,
    linear_before_reset: int = 0,
) -> tuple[Value, ...]:
    """Gated recurrent unit: h' = (1 - z) * g(...) + z * h."""
    layer = Layer.of(cell, layout, ("Sigmoid", "Tanh"))
    x = layer.time_first(x)
    w, r, b, _ = layer.sized(3, w, r, b)
    hidden = r.shape[2]
    of_input, of_state = _biases(b, 3)
    inner = None
    if of_state is not None and linear_before_reset:
        inner = of_state.slice((0, hidden * 2), (layer.directions, hidden))
        of_state = of_state.slice((0, 0), (layer.directions, hidden * 2)).pad((0, 0), (0, hidden))
    gates = _gates(x, w, _joined(of_input, of_state))
    extras = _extras(x, sequence_lens, bias=inner)
    state = layer.state(initial_h, x.shape[1], hidden, x, extras.get("lens"))
    args = (gates, r.transpose(0, 2, 1), state, *extras.values())
    attrs = layer.attributes(extras, linear_before_reset=bool(linear_before_reset))
    return layer.results("gru", args, attrs, 1)


@op("RNN")
def rnn_1(
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    *,
    cell: Cell = PLAIN_CELL,
    output_sequence: int = 0,
) -> tuple[Value, ...]:
    """RNN with time first."""
    return rnn(x, w, r, b, sequence_lens, initial_h, cell=cell)


@op("RNN", since=14)
def rnn(
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    *,
    cell: Cell = PLAIN_CELL,
    layout: int = 0,
) -> tuple[Value, ...]:
    """Plain recurrent layer: h' = f(x @ w + h @ r + b)."""
    layer = Layer.of(cell, layout, ("Tanh",))
    x = layer.time_first(x)
    w, r, b, _ = layer.sized(1, w, r, b)
    gates = _gates(x, w, _joined(*_biases(b, 1)))
    extras = _extras(x, sequence_lens)
    state = layer.state(initial_h, x.shape[1], r.shape[2], x, extras.get("lens"))
    args = (gates, r.transpose(0, 2, 1), state, *extras.values())
    return layer.results("rnn", args, layer.attributes(extras), 1)
