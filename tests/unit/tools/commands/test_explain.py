"""`sardonyx explain` shows kernels and, unless it is to be brief, what was considered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from sardonyx.tools import peak
from sardonyx.tools.commands import explain
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import run


def test_text_and_json(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(explain, "explain", model) == 0
    whole = capsys.readouterr().out
    assert "Relu" in whole or "max" in whole
    assert run(explain, "explain", model, "--brief") == 0
    assert len(capsys.readouterr().out) <= len(whole)
    assert run(explain, "explain", model, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == model and len(told["kernels"]) == 1
    assert "profile" not in told


def test_speeds_of_the_kernels(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(explain, "_SECONDS", 0.01)
    monkeypatch.setattr(peak, "measure", lambda threads: peak.Peak(threads, 1e9, ((1, 1e9),)))
    words = (model, "--profile", "--threads", "1", "--dim", "N=1000")
    assert run(explain, "explain", *words) == 0
    assert re.search(r"GFLOP/s +GB/s +of peak", capsys.readouterr().out)
    assert run(explain, "explain", *words, "--json") == 0
    profile = json.loads(capsys.readouterr().out)["profile"]
    (call,) = profile["calls"]
    assert (call["flops"], call["traffic_bytes"]) == (2 * 3000, 4 * (3000 * 2 + 3))
    assert call["of_peak"] == pytest.approx(call["gigabytes"]) and profile["peak"]["threads"] == 1


def test_a_size_that_the_model_lacks_is_refused_before_anything_is_measured(model: str) -> None:
    with pytest.raises(UserError, match="--dim M"):
        run(explain, "explain", model, "--profile", "--dim", "M=3")


RANKED = """<ir_version: 10, opset_import: ["" : 21]>
agraph (float[A, B] x, int64[N] axes) => (float y) {
    s = ReduceSum<keepdims = 0>(x, axes)
    y = Exp(s)
}"""


def test_a_model_whose_ranks_depend_on_feeds_is_fed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ranked.onnx"
    path.write_bytes(onnx.parser.parse_model(RANKED).SerializeToString())
    np.save(tmp_path / "axes.npy", np.int64([1]))
    assert run(explain, "explain", str(path), "--input", f"axes={tmp_path / 'axes.npy'}") == 0
    told = capsys.readouterr().out
    assert "1 kernel, 0 operators" in told and "1 program, one for each content" in told
    np.save(tmp_path / "axes.npy", np.int64([7]))
    with pytest.raises(
        UserError, match=r"is compiled when it is fed, which failed: .*random numbers were fed for x"
    ):
        run(explain, "explain", str(path), "--input", f"axes={tmp_path / 'axes.npy'}")
