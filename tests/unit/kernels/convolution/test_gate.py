"""Hard swishes behind convolutions: which map trees are one, and what the convolutions give."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from sardonyx.base import dtype as dt
from sardonyx.ir.place import Storage
from sardonyx.kernels.arguments import GATED, Conv
from sardonyx.kernels.convolution.gate import Gate, Line, match_gate
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Expr, Kernel, Literal, Load, Store
from tests.runnable import runnable_targets

ROW, COLUMN = Axis("row", 8), Axis("column", 16)
AT = Affine(0, ((ROW, 16), (COLUMN, 1)))
OUT, BIAS, OTHER = (Storage(kind, dt.F32, 128) for kind in ("output", "const", "input"))
TILE = Load(Buffer("tile", dt.F32, "tile"), AT, dt.F32)
BIAS_LOAD = Load(Buffer("bias", dt.F32, "in", BIAS), Affine(3, ((COLUMN, 1),)), dt.F32)
RESIDUAL = Load(Buffer("other", dt.F32, "in", OTHER), AT, dt.F32)
SUM = Apply("add", (TILE, BIAS_LOAD), dt.F32)
NOTHING = -0.0


def kernel(value: Expr) -> Kernel:
    body = (Store(Buffer("y", dt.F32, "out", OUT), AT, (), value),)
    return Kernel("k", (ROW, COLUMN), body, (), form="tile", vector=COLUMN)


def of(prim: str, *args: Expr | float) -> Expr:
    return Apply(prim, tuple(Literal(a, dt.F32) if isinstance(a, float) else a for a in args), dt.F32)


def relu6(x: Expr) -> Expr:
    return of("min", of("max", of("add", x, 3.0), 0.0), 6.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (of("div", of("mul", SUM, relu6(SUM)), 6.0), (1.0, 3.0, 0.0, 6.0, 1 / 6, NOTHING)),
        (of("mul", relu6(TILE), TILE), (1.0, 3.0, 0.0, 6.0, 1.0, NOTHING)),
        (
            of("mul", SUM, of("max", of("min", of("add", of("mul", SUM, 0.125), 0.5), 1.0), 0.0)),
            (0.125, 0.5, 0.0, 1.0, 1.0, NOTHING),
        ),
        (
            of("add", of("mul", 0.75, of("div", of("mul", SUM, relu6(SUM)), 6.0)), -2.0),
            (1.0, 3.0, 0.0, 6.0, 0.125, -2.0),
        ),
        (of("mul", SUM, of("max", of("min", SUM, 4.0), -1.0)), (1.0, NOTHING, -1.0, 4.0, 1.0, NOTHING)),
    ],
)
def test_products_with_limits_of_the_same(value: Expr, expected: tuple[float, ...]) -> None:
    found = match_gate(kernel(value))
    assert found is not None
    numbers = (*_of(found.inner), found.low, found.high, *_of(found.outer))
    assert numbers == expected
    assert [np.signbit(n) for n in numbers] == [np.signbit(n) for n in expected]


def _of(line: Line) -> tuple[float, float]:
    return line.slope, line.shift


def test_words() -> None:
    found = match_gate(kernel(of("div", of("mul", SUM, relu6(SUM)), 6.0)))
    assert isinstance(found, Gate)
    words = found.words((ROW, COLUMN))
    assert words[Conv.FINISH] == GATED
    numbers = [words[w] for w in (Conv.LOW, Conv.HIGH, Conv.SLOPE, Conv.SHIFT, Conv.SCALE, Conv.OFFSET)]
    expected = (0.0, 6.0, 1.0, 3.0, 1 / 6, NOTHING)
    assert [struct.pack("<i", n) for n in numbers] == [struct.pack("<f", n) for n in expected]
    assert words[Conv.RESIDUAL] == 0


@pytest.mark.parametrize(
    "value",
    [
        SUM,
        of("mul", SUM, of("max", of("add", SUM, 3.0), 0.0)),
        of("mul", SUM, of("min", of("max", of("add", SUM, 3.0), 6.0), 0.0)),
        of("mul", SUM, of("min", of("max", of("add", SUM, 3.0), float("nan")), 6.0)),
        of("mul", SUM, relu6(TILE)),
        of("mul", SUM, of("min", of("max", of("div", 3.0, SUM), 0.0), 6.0)),
        of("div", 6.0, of("mul", SUM, relu6(SUM))),
        of("div", of("mul", SUM, relu6(SUM)), 0.0),
        of("mul", of("add", SUM, RESIDUAL), relu6(of("add", SUM, RESIDUAL))),
        of("add", of("mul", SUM, relu6(SUM)), RESIDUAL),
        of("mul", SUM, of("sigmoid", SUM)),
    ],
)
def test_what_is_none_is_left_to_a_function(value: Expr) -> None:
    assert match_gate(kernel(value)) is None


MODEL = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 20, H, W] x) => (float[N, C, H, W] y) <float three = {3}, float zero = {0}, float six = {6},
   float scale = {0.75}, float offset = {-0.25}> {
    c = Conv<kernel_shape = [1, 1]>(x, w0)
    d = Conv<pads = [PAD, PAD, PAD, PAD]>(c, w, b)
    e = Add(d, three)
    f = Clip(e, zero, six)
    g = Mul(d, f)
    h = Div(g, six)
    i = Mul(h, scale)
    j = Add(i, offset)
    y = Conv<kernel_shape = [1, 1]>(j, w2)
}"""


def _session(tensors: dict[str, np.ndarray], target: str, precision: str, threads: int) -> Any:
    text = MODEL.replace("PAD", str(tensors["w"].shape[2] // 2))
    proto = onnx.parser.parse_model(text)
    proto.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in tensors.items())
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    for name, value in {"target": target, "precision": precision, "winograd": "off"}.items():
        options.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(proto.SerializeToString(), options)


def _exact(x: np.ndarray, tensors: dict[str, np.ndarray]) -> np.ndarray:
    w0, w, b, w2 = (tensors[name].astype(np.float64) for name in ("w0", "w", "b", "w2"))
    pad = w.shape[2] // 2
    c = np.einsum("nchw,oc->nohw", x.astype(np.float64), w0[:, :, 0, 0])
    c = np.pad(c, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    views = np.lib.stride_tricks.sliding_window_view(c, w.shape[2:], (2, 3))
    d = np.einsum("nchwrs,ocrs->nohw", views, w, optimize=True) + b[:, None, None]
    result: np.ndarray = np.einsum("nchw,oc->nohw", d * np.clip(d + 3, 0, 6) / 8 - 0.25, w2[:, :, 0, 0])
    return result


def _tensors(channels: int, outputs: int, taps: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(channels)
    sizes = {
        "w0": (channels, 20, 1, 1),
        "w": (outputs, channels, taps, taps),
        "b": (outputs,),
        "w2": (19, outputs, 1, 1),
    }
    drawn = {name: rng.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
    drawn["w0"] /= np.float32(4)
    drawn["w"] /= np.float32(np.sqrt(channels) * taps / 2)
    return drawn


def _end(session: Any, tensors: dict[str, np.ndarray]) -> str:
    """Where the convolution in the middle ends."""
    begin = "x".join(map(str, tensors["w"].shape))
    (plan,) = (note.plan for note in session.report.kernels if note.plan.startswith(begin))
    return str(plan.rpartition("end ")[2])


@pytest.mark.parametrize("target", [t.name for t in runnable_targets()])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("channels", "outputs", "taps"), [(32, 64, 1), (24, 40, 1), (20, 24, 3), (600, 33, 3), (16, 17, 3)]
)
def test_tiles_that_are_stored_and_all_others(
    target: str, threads: int, channels: int, outputs: int, taps: int
) -> None:
    tensors, rng = _tensors(channels, outputs, taps), np.random.default_rng(0)
    session = _session(tensors, target, "fp32", threads)
    assert _end(session, tensors) == "in registers"
    for size in ((1, 20, 7, 19), (2, 20, 3, 5), (3, 20, 1, 1)):
        x = rng.standard_normal(size).astype(np.float32) * np.float32(2)
        (y,) = session.run(None, {"x": x})
        exact = _exact(x, tensors)
        assert np.abs(y - exact).max() < 3e-6 * np.abs(exact).max()


def test_strict_divides() -> None:
    tensors = _tensors(16, 32, 1)
    assert _end(_session(tensors, "", "strict", 1), tensors) == "per tile"
