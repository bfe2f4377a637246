"""Calls of recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.models.quantised_lstm import layer as quantised_layer
from tests.property.operators.definitions.cells import (
    DEFAULTS,
    GATES,
    PARAMETERS,
    Cell,
    activation,
    layer,
)
from tests.property.operators.definitions.windows import WIDTHS
from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, Fixed, recipe


@recipe("RNN", "GRU", "LSTM", opsets=(7, 14, 22))
def recurrent(d: Draw) -> Call:
    kind, gates = d.operator, GATES[d.operator]
    steps, batch = d.one_of(1, 2, 3, 5, 0), d.one_of(1, 2, 3, 0)
    inputs, size = d.one_of(1, 3, 17), d.one_of(*WIDTHS)
    direction = d.one_of("forward", "reverse", "bidirectional")
    count = 2 if direction == "bidirectional" else 1
    x = d.within((steps, batch, inputs), -2, 2)
    spread = 1 / np.sqrt(size)
    w = d.within((count, gates * size, inputs), -0.5, 0.5)
    r = d.within((count, gates * size, size), -spread, spread)
    b = d.maybe(d.within((count, 2 * gates * size), -0.5, 0.5))
    lengths = d.maybe(d.within((batch,), 0, steps, np.int32)) if steps else None
    h = d.maybe(d.within((count, batch, size), -1, 1))
    c = d.maybe(d.within((count, batch, size), -1, 1)) if kind == "LSTM" else None
    peepholes = d.maybe(d.within((count, 3 * size), -0.5, 0.5)) if kind == "LSTM" else None
    names, attributes = _attributes(d, kind, count, direction)
    last = attributes.get("layout", 0)

    def judge(*_: Any) -> Any:
        cells = [
            Cell(
                kind,
                [activation(n) for n in names[n : n + len(DEFAULTS[kind])]],
                attributes.get("clip", np.inf),
                bool(attributes.get("input_forget", 0)),
                bool(attributes.get("linear_before_reset", 0)),
                None if peepholes is None else peepholes[n // len(DEFAULTS[kind])].astype(np.float64),
            )
            for n in range(0, len(names), len(DEFAULTS[kind]))
        ]
        none = np.zeros((count, 2 * gates * size))
        parameters = list(zip(w, r, none if b is None else b, strict=True))
        zeros = np.zeros((count, batch, size))
        states = list(zip(zeros if h is None else h, zeros if c is None else c, strict=True))
        counts = [steps] * batch if lengths is None else lengths.tolist()
        backwards = {"forward": [False], "reverse": [True]}.get(direction, [False, True])
        y, y_h, y_c = layer(x, cells, parameters, states, counts, backwards)
        if lengths is not None:
            y_h, y_c = (np.where(lengths[:, None] > 0, state, 0) for state in (y_h, y_c))
        if last:
            y, y_h, y_c = y.transpose(2, 0, 1, 3), y_h.swapaxes(0, 1), y_c.swapaxes(0, 1)
        results = (y, y_h, y_c) if kind == "LSTM" else (y, y_h)
        return tuple(v.astype(x.dtype) for v, wanted in zip(results, outputs, strict=True) if wanted)

    outputs = [d.flag(), d.flag(), d.flag()][: 3 if kind == "LSTM" else 2]
    outputs = outputs if any(outputs) else [True, *outputs[1:]]

    def placed(v: Array | None) -> Array | None:
        return v.swapaxes(0, 1).copy() if v is not None and last else v

    fixed = d.integer(0, 3)
    weights = [Fixed(v) if fixed and v is not None else v for v in (w, r, b)]
    given = [placed(x), *weights, lengths, placed(h)]
    given += [placed(c), peepholes] if kind == "LSTM" else []
    # A state of 16 bits is rounded at every step.
    length = (size + inputs) * (1 + (8 * steps if d.element.itemsize == 2 else 0))
    judged = formula(judge, exact=True)
    return Call(given, outputs, judged, length, 4.0 * max(steps, 1), hidden_size=size, **attributes)


def _attributes(d: Draw, kind: str, count: int, direction: str) -> tuple[list[str], dict[str, Any]]:
    """The names of all activations, and the attributes."""
    found: dict[str, Any] = {"direction": direction}
    names = DEFAULTS[kind] * count
    if d.integer(0, 2) == 2:
        # A step of a function amplifies the roundings of a state of 16 bits.
        steady = [n for n in PARAMETERS if n != "ThresholdedRelu" or d.element.itemsize > 2]
        names = [d.one_of(*steady) for _ in names]
        found["activations"] = names
        for number, name in enumerate(("activation_alpha", "activation_beta")):
            values = [PARAMETERS[n][number] for n in names if len(PARAMETERS[n]) > number]
            if values:
                found[name] = values
    if d.integer(0, 3) == 3:
        found["clip"] = d.one_of(0.5, 2.0)
    if d.opset >= 14 and d.flag():
        found["layout"] = 1
    if kind == "LSTM" and d.integer(0, 3) == 3:
        found["input_forget"] = 1
    if kind == "GRU" and d.flag():
        found["linear_before_reset"] = 1
    return names, found


@recipe("DynamicQuantizeLSTM", domain="com.microsoft", types="f32")
def dynamic_quantize_lstm(d: Draw) -> Call:
    steps, batch, inputs, size = d.integer(1, 5), d.integer(1, 3), d.one_of(1, 3, 17), d.one_of(1, 3, 16, 17)
    direction = d.one_of("forward", "reverse", "bidirectional")
    count = 2 if direction == "bidirectional" else 1
    kind = np.dtype(d.one_of(np.int8, np.uint8))
    zero = np.full(count, 0 if kind == np.int8 else 128, kind)
    w, r = (
        d.within((count, n, 4 * size), np.iinfo(kind).min, np.iinfo(kind).max, kind) for n in (inputs, size)
    )
    scales = [d.within((count,), 0.001, 0.01) for _ in "wr"]
    b = d.maybe(d.within((count, 8 * size), -0.5, 0.5))
    parameters = [Fixed(v) for v in (scales[0], zero, scales[1], zero)]
    x = d.within((steps, batch, inputs), -2, 2)
    given = [x, Fixed(w), Fixed(r), None if b is None else Fixed(b), None, None, None, None, *parameters]

    def judge(*inputs: Any) -> tuple[Array, ...]:
        return tuple(v.astype(np.float32) for v in quantised_layer(inputs, direction))

    # A state that is rounded to another of its 256 points moves what follows by about that much.
    judged = formula(judge, exact=True)
    return Call(given, 3, judged, 1, 3e4, hidden_size=size, direction=direction)
