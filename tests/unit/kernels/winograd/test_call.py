"""Models whose convolutions are transformed: one compilation for every size, and a report that says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from sardonyx.kernels.winograd import call
from sardonyx.kernels.winograd.scheme import SQUARES
from sardonyx.ort.hotspots import hotspots
from tests.runnable import runnable_targets
from tests.tolerance import difference_of_transforms

MODEL = """<ir_version: 8, opset_import: ["": 17]>
net (float[N, 20, H, W] x, float[N, 33, H, W] r) => (float[N, 17, A, B] y) {
    a = Conv<pads = [1, 1, 1, 1]>(x, w0, b0)
    b = Relu(a)
    c = Add(b, r)
    d = Relu(c)
    e = Conv<pads = [0, 1, 2, 1]>(d, w1)
    y = Sigmoid(e)
}"""
RNG = np.random.default_rng(3)
TENSORS = {
    "w0": RNG.standard_normal((33, 20, 3, 3)).astype(np.float32),
    "b0": RNG.standard_normal(33).astype(np.float32),
    "w1": (RNG.standard_normal((17, 33, 3, 3)) / 17).astype(np.float32),
}
SIZES = ((1, 8, 8), (3, 5, 21), (2, 30, 2), (1, 1, 1))


def session(winograd: str, target: str = "", precision: str = "fp32", threads: int = 1) -> Any:
    proto = onnx.parser.parse_model(MODEL)
    proto.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in TENSORS.items())
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    entries = {"winograd": winograd, "target": target, "precision": precision}
    for name, value in entries.items():
        options.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(proto.SerializeToString(), options)


def convolved(x: np.ndarray, w: np.ndarray, pads: tuple[int, int, int, int]) -> np.ndarray:
    top, left, bottom, right = pads
    x = np.pad(x, [(0, 0), (0, 0), (top, bottom), (left, right)])
    views = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
    return np.einsum("nchwrs,ocrs->nohw", views, w.astype(np.float64), optimize=True)


def exact(x: np.ndarray, r: np.ndarray) -> np.ndarray:
    a = np.maximum(convolved(x, TENSORS["w0"], (1, 1, 1, 1)) + TENSORS["b0"][:, None, None], 0)
    e = convolved(np.maximum(a + r, 0), TENSORS["w1"], (0, 1, 2, 1))
    return 1 / (1 + np.exp(-e))


def conv_plans(made: Any) -> list[str]:
    return [note.plan for note in made.report.kernels if note.kind == "conv"]


@pytest.mark.parametrize("target", [t.name for t in runnable_targets()])
@pytest.mark.parametrize(("winograd", "outputs"), [("f2", 2), ("f4", 4)])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_program_for_every_size(target: str, winograd: str, outputs: int, threads: int) -> None:
    made = session(winograd, target, threads=threads)
    assert [f"winograd F({outputs}x{outputs})" in plan for plan in conv_plans(made)] == [True, True]
    assert call.winograd_call.__doc__
    rng = np.random.default_rng(0)
    for n, h, w in SIZES:
        x, r = (rng.standard_normal((n, c, h, w)).astype(np.float32) for c in (20, 33))
        (y,) = made.run(None, {"x": x, "r": r})
        wrong = difference_of_transforms(y, exact(x.astype(np.float64), r), SQUARES[outputs].points)
        assert wrong is None, f"{(n, h, w)}: {wrong}"


def test_products_of_points_are_counted() -> None:
    """Of 36 points for 16 pixels."""
    calls = hotspots(
        session("f4"), {name: np.ones((1, n, 8, 8), np.float32) for name, n in (("x", 20), ("r", 33))}, 0
    )
    assert [call.flops for call in calls if "33x20x3x3" in call.plan] == [8 * 8 * 33 * 20 * 9 // 2]


def test_the_report_names_what_is_summed_directly() -> None:
    for made in (session("off"), session("f4", precision="strict")):
        assert conv_plans(made)
        assert not any("winograd" in plan for plan in conv_plans(made))


def test_bits_do_not_depend_on_threads_or_the_batch() -> None:
    rng = np.random.default_rng(1)
    x, r = (rng.standard_normal((4, c, 30, 21)).astype(np.float32) for c in (20, 33))
    one, two = session("f4"), session("f4", threads=2)
    (whole,) = one.run(None, {"x": x, "r": r})
    assert np.array_equal(two.run(None, {"x": x, "r": r})[0], whole)
    assert np.array_equal(one.run(None, {"x": x[2:3], "r": r[2:3]})[0], whole[2:3])


@pytest.mark.parametrize(
    ("window", "dilations", "text"),
    [
        ((1, 3), (1, 1), "F(4, 3)"),
        ((5, 1), (1, 3), "F(4, 5)"),
        ((1, 7), (2, 1), "F(2, 7)"),
        ((3, 3), (2, 1), "F(4x4)"),
        ((3, 3), (2, 3), "F(4x4)"),
        ((3, 3), (9, 9), "F(4x4)"),
        ((1, 3), (1, 2), "F(4, 3)"),
        ((5, 1), (4, 1), "F(4, 5)"),
    ],
)
@pytest.mark.parametrize("end", ["Relu", "Sigmoid"])
def test_windows_of_one_line_or_pixel_and_lines_apart(
    window: tuple[int, int], dilations: tuple[int, int], text: str, end: str
) -> None:
    pads = [d * (k // 2) for d, k in zip(dilations, window, strict=True)] * 2
    conv = f"a = Conv<pads = {pads}, dilations = {list(dilations)}>(x, w) y = {end}(a)"
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> '
        f"net (float[N, 20, H, W] x) => (float[N, 33, H, W] y) {{ {conv} }}"
    )
    scale = np.sqrt(20 * window[0] * window[1])
    w = (RNG.standard_normal((33, 20, *window)) / scale).astype(np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(w, "w"))
    results = []
    for winograd in ("f4", "off"):
        options = sardonyx.SessionOptions()
        options.add_session_config_entry("sardonyx.winograd", winograd)
        made = sardonyx.InferenceSession(proto.SerializeToString(), options)
        assert any(f"winograd {text}" in plan for plan in conv_plans(made)) == (winograd == "f4")
        rng = np.random.default_rng(0)
        feeds = [rng.standard_normal((n, 20, h, w)).astype(np.float32) for n, h, w in SIZES]
        results.append([made.run(None, {"x": x})[0] for x in feeds])
    for ours, direct in zip(*results, strict=True):
        assert np.abs(ours - direct).max() <= 1e-5 * np.abs(direct).max()
