"""Slopes below 0 behind convolutions: which map trees are one, and what the convolutions give."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from sardonyx.base import dtype as dt
from sardonyx.ir.place import Storage
from sardonyx.kernels.arguments import LEAKY, Conv, Winograd
from sardonyx.kernels.call import Address
from sardonyx.kernels.convolution.leak import match_leak
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Expr, Kernel, Literal, Load, Store
from tests.runnable import runnable_targets

AXES = tuple(Axis(name, size) for name, size in zip("nblpc", (2, 3, 4, 5, 16), strict=True))
SAMPLE, BLOCK, LINE, PIXEL, LANE = AXES
AT = Affine(0, ((SAMPLE, 960), (BLOCK, 320), (LINE, 80), (PIXEL, 16), (LANE, 1)))
OF_CHANNEL = Affine(0, ((BLOCK, 16), (LANE, 1)))


def load(name: str, at: Affine, role: str = "in") -> Load:
    return Load(Buffer(name, dt.F32, role, Storage("const", dt.F32, 960)), at, dt.F32)


TILE, BIAS, SLOPES = load("tile", AT, "tile"), load("bias", OF_CHANNEL), load("slopes", OF_CHANNEL)


def of(prim: str, *args: Expr | float) -> Expr:
    values = tuple(Literal(a, dt.F32) if isinstance(a, float) else a for a in args)
    return Apply(prim, values, dt.BOOL if prim == "lt" else dt.F32)


SUM = of("add", TILE, BIAS)


def kernel(value: Expr) -> Kernel:
    body = (Store(Buffer("y", dt.F32, "out", Storage("output", dt.F32, 1920)), AT, (), value),)
    return Kernel("k", AXES, body, (), form="tile", vector=LANE)


def selected(value: Expr, slope: Expr | float, *, limit: float = 0.0) -> Expr:
    return of("where", of("lt", value, limit), of("mul", value, slope), value)


def added(value: Expr, slope: Expr | float) -> Expr:
    return of("add", of("max", value, 0.0), of("mul", of("min", value, 0.0), slope))


@pytest.mark.parametrize("layout", [Conv, Winograd])
@pytest.mark.parametrize(
    ("value", "slope"),
    [
        (selected(SUM, SLOPES), None),
        (of("where", of("lt", TILE, 0.0), of("mul", SLOPES, TILE), TILE), None),
        (selected(SUM, -0.25), -0.25),
        (added(SUM, 0.125), 0.125),
    ],
)
def test_words(value: Expr, slope: float | None, layout: type[Conv] | type[Winograd]) -> None:
    found = match_leak(kernel(value))
    assert found is not None
    words = found.words(layout, AXES)
    assert (words[layout.FINISH], words[layout.RESIDUAL]) == (LEAKY, 0)
    at = words[layout.SLOPES]
    assert isinstance(at, Address)
    if slope is None:
        assert (at.storage, at.offset) == (SLOPES.buffer.key, 0)
    else:
        table = at.storage.value
        assert table is not None
        assert table.data is not None
        assert np.array_equal(table.data, np.full(48, slope, np.float32))


@pytest.mark.parametrize(
    "value",
    [
        SUM,
        of("max", SUM, 0.0),
        selected(SUM, SLOPES, limit=1.0),
        selected(of("max", SUM, 0.0), SLOPES),
        selected(of("add", SUM, load("other", AT)), SLOPES),
        selected(SUM, load("each", AT)),
        selected(SUM, load("of lines", Affine(0, ((LINE, 1),)))),
        of("where", of("lt", TILE, 0.0), of("mul", SUM, SLOPES), SUM),
        of("where", of("lt", SUM, 0.0), SUM, of("mul", SUM, SLOPES)),
        added(SUM, SLOPES),
        added(SUM, float("inf")),
        of("add", of("max", TILE, 0.0), of("mul", of("min", SUM, 0.0), 0.125)),
    ],
)
def test_what_is_none_is_left_to_a_function(value: Expr) -> None:
    assert match_leak(kernel(value)) is None


MODEL = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 20, H, W] x) => (float[N, C, H, W] y) {
    c = Conv<kernel_shape = [1, 1]>(x, w0)
    d = Conv<pads = [PAD, PAD, PAD, PAD], group = GROUP>(c, w, b)
    e = END
    y = Conv<kernel_shape = [1, 1]>(e, w2)
}"""
ENDS = {"channels": "PRelu(d, s)", "one": "LeakyRelu<alpha = 0.3>(d)"}


def _session(
    tensors: dict[str, np.ndarray], end: str, target: str, threads: int, **options: str
) -> sardonyx.InferenceSession:
    pad, group = tensors["w"].shape[2] // 2, len(tensors["w0"]) // tensors["w"].shape[1]
    text = MODEL.replace("PAD", str(pad)).replace("GROUP", str(group)).replace("END", ENDS[end])
    proto = onnx.parser.parse_model(text)
    proto.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in tensors.items())
    given = sardonyx.SessionOptions()
    given.intra_op_num_threads = threads
    for name, value in {"target": target, **options}.items():
        given.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(proto.SerializeToString(), given)


def _exact(x: np.ndarray, tensors: dict[str, np.ndarray], end: str) -> np.ndarray:
    wide: dict[str, Any] = {name: a.astype(np.float64) for name, a in tensors.items()}
    w, pad = wide["w"], wide["w"].shape[2] // 2
    c = np.einsum("nchw,oc->nohw", x.astype(np.float64), wide["w0"][:, :, 0, 0])
    c = np.pad(c, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    views = np.lib.stride_tricks.sliding_window_view(c, w.shape[2:], (2, 3))
    group = c.shape[1] // w.shape[1]
    parts = zip(np.split(views, group, 1), np.split(w, group), strict=True)
    d = np.concatenate([np.einsum("nchwrs,ocrs->nohw", v, p, optimize=True) for v, p in parts], 1)
    d += wide["b"][:, None, None]
    e = d * np.where(d < 0, wide["s"] if end == "channels" else np.float32(0.3), 1)
    result: np.ndarray = np.einsum("nchw,oc->nohw", e, wide["w2"][:, :, 0, 0])
    return result


def _tensors(channels: int, outputs: int, taps: int, group: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(channels)
    sizes = {
        "w0": (channels, 20, 1, 1),
        "w": (outputs, channels // group, taps, taps),
        "b": (outputs,),
        "s": (outputs, 1, 1),
        "w2": (19, outputs, 1, 1),
    }
    drawn = {name: rng.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
    drawn["w0"] /= np.float32(4)
    drawn["w"] /= np.float32(np.sqrt(channels // group) * taps / 2)
    return drawn


def _plan(session: sardonyx.InferenceSession, tensors: dict[str, np.ndarray]) -> str:
    """How the convolution in the middle is computed."""
    begin = "x".join(map(str, tensors["w"].shape))
    (plan,) = (note.plan for note in session.report.kernels if note.plan.startswith(begin))
    return str(plan)


@pytest.mark.parametrize("target", [t.name for t in runnable_targets()])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("end", list(ENDS))
@pytest.mark.parametrize("winograd", ["off", "f2", "f4"])
@pytest.mark.parametrize(
    ("channels", "outputs", "taps", "group"),
    [(32, 64, 1, 1), (20, 24, 3, 1), (600, 33, 3, 1), (16, 17, 3, 1), (32, 64, 3, 2), (40, 20, 3, 2)],
)
def test_tiles_that_are_stored_and_all_others(
    target: str, threads: int, end: str, winograd: str, channels: int, outputs: int, taps: int, group: int
) -> None:
    tensors, rng = _tensors(channels, outputs, taps, group), np.random.default_rng(0)
    session = _session(tensors, end, target, threads, winograd=winograd)
    plan = _plan(session, tensors)
    assert plan.endswith("end in registers")
    assert winograd == "off" or taps == 1 or outputs % 32 or "winograd" in plan
    for size in ((1, 20, 7, 19), (2, 20, 3, 5), (3, 20, 1, 1)):
        x = rng.standard_normal(size).astype(np.float32) * np.float32(2)
        (y,) = session.run(None, {"x": x})
        exact = _exact(x, tensors, end)
        assert np.abs(y - exact).max() < 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize("end", list(ENDS))
@pytest.mark.parametrize("winograd", ["off", "f4"])
def test_nan_and_infinities(end: str, winograd: str) -> None:
    tensors = _tensors(16, 32, 3, 1)
    tensors["w2"] = np.abs(tensors["w2"])
    session = _session(tensors, end, "", 1, winograd=winograd)
    x = np.zeros((1, 20, 12, 12), np.float32)
    (before,) = session.run(None, {"x": x})
    x[0, 3, 5, 5] = np.nan
    (y,) = session.run(None, {"x": x})
    assert np.isnan(y[0, :, 4:7, 4:7]).all()
    assert np.array_equal(y[0, :, :, 9:], before[0, :, :, 9:])


def test_strict_keeps_registers() -> None:
    tensors = _tensors(16, 32, 1, 1)
    strict = _session(tensors, "channels", "", 1, precision="strict")
    assert _plan(strict, tensors).endswith("end in registers")
