"""Quantised models: every point that is chosen is the right one, and none is worse than onnxruntime's.

Outputs as such are not compared with onnxruntime's: see decisions.py. In numbers, with AVX-512:
t5_decoder_int8 (batch 2) is 1.5e-2 of the largest value away from onnxruntime's output, because one of the
points it chooses lies within 1e-5 of a border; isnet_uint8 is 5e-2 away, smart_turn_whisper_qdq 2.5e-2
(onnxruntime's own optimisation levels: 3.5e-2), the models with LSTMs up to 1e-2.
"""

from __future__ import annotations

import functools
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from sardonyx import zoo
from tests.models.decisions import Judged, by_float64, judge
from tests.models.evaluator import evaluated
from tests.models.judged_case import by_name, engine
from tests.models.marks import marks
from tests.tolerance import CHANCE_OF_POINTS, POINT_BOUND, difference_of_models

ROOT = Path(__file__).parents[2]
ERRORS_ONLY = 3
MOST_MB = 3000
"""What a judge that keeps no more than it needs takes of the largest model."""
SMALL = """
<ir_version: 10, opset_import: ["" : 21]>
g (float[N,16] x, uint8[16,8] w, float s, uint8 z) => (float[N,8] y, int32[N,8] whole) {
  q, step, origin = DynamicQuantizeLinear(x)
  total = MatMulInteger(q, w, origin, z)
  real = Cast<to = 1>(total)
  scaled = Mul(real, step)
  points = QuantizeLinear(scaled, s, z)
  y = DequantizeLinear(points, s, z)
  whole = Cast<to = 6>(scaled)
}
"""


TARGETS = {"native": engine(""), "avx2": engine("x86_64-v3"), "reference": engine("reference")}
ours = TARGETS["native"]


def peer(model: bytes, feeds: Mapping[str, Any]) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    return by_name(onnxruntime.InferenceSession(model, options), feeds)


def settings() -> list[object]:
    """Every size on this machine's own target, the first one on the others."""
    return [
        pytest.param(
            model.name,
            number,
            target,
            id=f"{model.name}-{number}-{target}",
            marks=marks(model.name, quick=model.quick),
        )
        for model in zoo.models(precision=("quantised",))
        for number, _ in enumerate(zoo.sizes(model.name))
        for target in (TARGETS if number == 0 else ["native"])
    ]


@functools.lru_cache(maxsize=1)
def case(name: str, number: int) -> tuple[Any, dict[str, Any], Judged]:
    """A model, feeds of one size, and how onnxruntime does on them."""
    model, feeds = onnx.load(zoo.fetch_one(name)), zoo.feeds(name, **zoo.sizes(name)[number])
    return model, feeds, judge(model, feeds, peer)


@pytest.mark.parametrize(("name", "number", "target"), settings())
def test_every_choice_is_right_and_no_worse_than_onnxruntime(name: str, number: int, target: str) -> None:
    model, feeds, other = case(name, number)
    own = judge(model, feeds, TARGETS[target])
    assert own.excesses.keys() == other.excesses.keys()
    worst = max(own.excesses, key=lambda tensor: own.excesses[tensor])
    assert own.excesses[worst] <= POINT_BOUND, f"{worst}: {own.excesses[worst]:.2g} of a point out of reach"
    assert own.excesses[worst] <= max(*other.excesses.values(), CHANCE_OF_POINTS)
    for output, (actual, exact) in own.outputs.items():
        wrong = difference_of_models(actual, np.asarray(exact).astype(actual.dtype))
        assert wrong is None, f"{output}: {wrong}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"),
    [(m.name, n) for m in zoo.models(precision=("quantised",)) for n, _ in enumerate(zoo.sizes(m.name))],
)
def test_onnx_evaluator_makes_the_same_of_the_chosen_points(name: str, number: int) -> None:
    """It is a judge that shares nothing with this engine; both follow the same points across a border.

    Left to choose for itself it is 0.77 of the largest value away on t5_encoder_int8 (batch 2): one number
    lies at 15.499996 steps here and at 15.500003 there, and padded places make the most of that.
    """
    command = [sys.executable, "-m", "tests.models.judged_case", name, str(number)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["excess"] <= POINT_BOUND
    assert not found["wrong"]
    assert found["peak_mb"] < MOST_MB


def small_case() -> tuple[Any, dict[str, Any]]:
    random = np.random.default_rng(0)
    x = random.standard_normal((20, 16)).astype(np.float32)
    w = random.integers(0, 256, (16, 8)).astype(np.uint8)
    return onnx.parser.parse_model(SMALL), {
        "x": x,
        "w": w,
        "s": np.array(0.7, np.float32),
        "z": np.array(120, np.uint8),
    }


def test_a_right_engine_is_found_right() -> None:
    for run, exactly in itertools.product((ours, peer), (by_float64, evaluated)):
        found = judge(*small_case(), run, exactly)
        assert set(found.excesses) == {"q", "step", "origin", "points", "whole"}
        assert max(found.excesses.values()) <= CHANCE_OF_POINTS
        for actual, exact in found.outputs.values():
            assert difference_of_models(actual, exact.astype(actual.dtype)) is None


@pytest.mark.parametrize("tensor", ["q", "origin", "points", "whole"])
def test_a_wrong_point_is_found(tensor: str) -> None:
    def wrong(model: bytes, feeds: Mapping[str, Any]) -> dict[str, Any]:
        found = ours(model, feeds)
        changed = np.array(found[tensor])
        changed.flat[0] += 1
        return {**found, tensor: changed}

    assert judge(*small_case(), wrong).excesses[tensor] > POINT_BOUND


def test_a_wrong_number_is_found() -> None:
    def wrong(model: bytes, feeds: Mapping[str, Any]) -> dict[str, Any]:
        found = ours(model, feeds)
        return {**found, "y": found["y"] * np.float32(1.001)}

    actual, exact = judge(*small_case(), wrong).outputs["y"]
    assert difference_of_models(actual, exact.astype(actual.dtype)) is not None
