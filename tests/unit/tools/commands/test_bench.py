"""`sardonyx bench` tells medians side by side, and fails where outputs differ."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.tools import bench as measuring
from sardonyx.tools import peak
from sardonyx.tools.bench import Row, Timing
from sardonyx.tools.commands import bench
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import run


def row(apart: float | None = 0.0, *medians: float) -> Row:
    timings = [
        Timing(name, "1", us, us, us, 9) for name, us in zip(("sardonyx", "peer"), medians, strict=False)
    ]
    return Row("net", 2, timings, [], apart)


def test_a_line_for_each_model() -> None:
    assert bench._line(row(None, 250.0)) == "net  2 threads  sardonyx 250.0 us"
    line = bench._line(row(1e-6, 250.0, 500.0))
    assert line.startswith("net  2 threads  sardonyx 250.0 us  peer 500.0 us  2.00x  ")
    assert line.endswith("  outputs agree (1.0e-06 of the largest value)")
    assert "OUTPUTS DIFFER (inf of" in bench._line(row(math.inf, 1.0, 1.0))


def test_exact_arithmetic_decides_where_it_is_asked() -> None:
    found = row(0.5, 1.0, 1.0)
    found.wrong = [0.0, 0.25]
    assert not bench._is_wrong(found)
    said = (
        "outputs differ (5.0e-01 of the largest value)  wrong by exact arithmetic: sardonyx 0.0%, peer 25.0%"
    )
    assert bench._line(found).endswith(said)
    found.wrong = [0.02, 0.0]
    assert bench._is_wrong(found) and "OUTPUTS DIFFER" in bench._line(found)


SATURATING = """<ir_version: 10, opset_import: ["" : 21]>
net (uint8[2, 64] x) => (int32[2, 8] y)
<int8[64, 8] w> { y = MatMulInteger (x, w) }"""


def test_a_peer_whose_sums_saturate_does_not_make_ours_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.onnx"
    made = onnx.parser.parse_model(SATURATING)
    made.graph.initializer.append(onnx.numpy_helper.from_array(np.full((64, 8), 127, np.int8), "w"))
    onnx.save(made, file)
    np.save(tmp_path / "x.npy", np.full((2, 64), 255, np.uint8))
    words = ("--peer", "onnxruntime", "--seconds", "0.01", "--input", f"x={tmp_path / 'x.npy'}")
    assert run(bench, "bench", str(file), *words) == 0
    told = capsys.readouterr().out
    assert "outputs agree" in told or "exact arithmetic: sardonyx 0.0%, onnxruntime 100.0%" in told


HALF = """<ir_version: 10, opset_import: ["" : 21]>
net (float[2, 64] x) => (float16[2, 64] y) { y = Cast <to = 10> (x) }"""


@pytest.mark.parametrize(("text", "own"), [(SATURATING, ()), (HALF, ("fp16",))])
@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_outputs_are_judged_by_the_precision(
    asked: str, text: str, own: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, ...]] = []

    def compare(*_: Any, precisions: tuple[str, ...], **__: Any) -> Row:
        found.append(precisions)
        return row(2e-2, 1.0, 2.0)

    monkeypatch.setattr(measuring, "compare", compare)
    monkeypatch.setenv("SARDONYX_PRECISION", "")
    file = tmp_path / "net.onnx"
    onnx.save(onnx.parser.parse_model(text), file)
    assert run(bench, "bench", str(file), "--peer", "onnxruntime", "--precision", asked) == 1
    assert found == [(asked, *own)]


def test_the_mean_of_several() -> None:
    assert bench._summary([row(0.0, 1, 2), row(0.0, 1, 8)]) == "geometric mean 4.00x over 2 models"
    assert "median of all runs" in bench._summary([row(0.0, 1, 2)])


@pytest.mark.parametrize(("apart", "code"), [(0.0, 0), (1e-4, 0), (1.1e-4, 1), (math.inf, 1)])
def test_differing_outputs_are_a_failure(
    apart: float, code: int, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}

    def compare(path: Any, values: Any, **options: Any) -> Row:
        asked.update(options, shape=values["x"].shape)
        return row(apart, 1.0, 2.0)

    monkeypatch.setattr(measuring, "compare", compare)
    words = ("--peer", "onnxruntime", "--threads", "3", "--dim", "N=5", "--seconds", "2", "--json")
    assert run(bench, "bench", model, *words) == code
    assert asked == {
        "engines": ("sardonyx", "onnxruntime"), "threads": 3, "seconds": 2.0, "name": "net", "shape": (5, 3),
        "expected": None, "precisions": ("fp32",),
    }  # fmt: skip
    (told,) = json.loads(capsys.readouterr().out)
    assert told["speed"] == 2.0 and told["apart"] == (apart if math.isfinite(apart) else "inf")


@pytest.mark.parametrize("words", [("--seconds", "0"), ("--threads", "-1")])
def test_numbers_that_make_no_sense(words: tuple[str, ...], model: str) -> None:
    with pytest.raises(UserError, match="--seconds and --threads take positive numbers"):
        run(bench, "bench", model, *words)


def test_a_picture_of_the_kernels(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "compare", lambda *_, **__: row(None, 1.0))
    monkeypatch.setattr(peak, "measure", lambda threads: peak.Peak(threads, 1e9, ((1, 1e9),)))
    file = tmp_path / "net.svg"
    words = (model, "--picture", str(file), "--seconds", "0.01", "--threads", "1")
    assert run(bench, "bench", *words, "--json") == 0
    assert json.loads(capsys.readouterr().out), "stdout stays JSON"
    assert ">net</text>" in file.read_text(encoding="utf-8")
    with pytest.raises(UserError, match="draws one MODEL"):
        run(bench, "bench", model, *words)
    with pytest.raises(UserError, match="No such file or directory; choose another file"):
        run(bench, "bench", model, "--picture", str(tmp_path / "no" / "net.svg"), *words[3:])


def test_the_hot_calls(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bench, "bench", model, "--profile", "--seconds", "0.02", "--threads", "1") == 0
    told = capsys.readouterr().out
    assert "1 threads  sardonyx" in told and "%" in told
