"""Norms of known numbers join the convolutions before them, and answers stay the same; others stay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.compression import quantize
from sardonyx.compression.norms import fold_norms
from tests.tolerance import assert_close
from tests.unit.compression.models import Array, answers, drawn, kinds, model

X = {"x": drawn(2, 4, 9, 9)}
TEXT = """<ir_version: 10, opset_import: ["" : 15]>
net (float[N, 4, 9, 9] x) => (float[N, 6, P, Q] y{more}) {{ c = {conv} n = {norm} y = Relu (n) {rest} }}"""
CONV, BIASED = "Conv <group = 2> (x, w)", "Conv <pads = [1, 1, 1, 1]> (x, v, b)"
NORM = "BatchNormalization <epsilon = 0.01> (c, scale, shift, mean, variance)"


def net(
    conv: str = CONV, norm: str = NORM, more: str = "", rest: str = "", **changed: Array
) -> onnx.ModelProto:
    numbers: dict[str, Any] = {
        "w": drawn(6, 2, 3, 3),
        "v": drawn(6, 4, 3, 3),
        "b": drawn(6, seed=1),
        "scale": drawn(6, seed=2),
        "shift": drawn(6, seed=3),
        "mean": drawn(6, seed=4),
        "variance": np.abs(drawn(6, seed=5)) + 0.1,
    }
    return model(TEXT.format(conv=conv, norm=norm, more=more, rest=rest), **{**numbers, **changed})


@pytest.mark.parametrize("conv", [CONV, BIASED])
def test_a_norm_joins_weights_and_bias(conv: str) -> None:
    original, made = net(conv), net(conv)
    assert fold_norms(made.graph) == 1
    onnx.checker.check_model(made, full_check=True)
    assert kinds(made) == ["Conv", "Relu"]
    for one, other in zip(answers(made, X), answers(original, X), strict=True):
        assert_close(one, other, 64)


@pytest.mark.parametrize(
    "how",
    [
        {"more": ", float[N, 6, P, Q] c"},
        {"more": ", float[N, 6, P, Q] z", "rest": "z = Neg (c)"},
        {"variance": np.full(6, -1, np.float32)},
        {"conv": "Conv (x, u)", "rest": "t = Identity (u)", "u": drawn(6, 4, 3, 3) + np.inf},
        {"norm": NORM.replace("(c,", "(x,"), "scale": drawn(4), "shift": drawn(4), "mean": drawn(4)},
    ],
    ids=["an output", "another reader", "no root", "not finite", "no convolution"],
)
def test_other_norms_stay(how: Mapping[str, Any]) -> None:
    given = dict(how)
    if "norm" in given:
        given["variance"] = np.abs(drawn(4)) + 1
    made = net(**given)
    before = kinds(made)
    assert fold_norms(made.graph) == 0
    assert kinds(made) == before


def test_quantising_says_how_many_joined(tmp_path: Path) -> None:
    onnx.save(net(BIASED), tmp_path / "net.onnx")
    made = quantize(tmp_path / "net.onnx", tmp_path / "small.onnx", "static", [X])
    assert made.notes == ["norms that joined the convolutions before them: 1"]
    assert made.judgement is not None and made.judgement.error < 0.05
    assert "BatchNormalization" not in kinds(onnx.load(tmp_path / "small.onnx"))
