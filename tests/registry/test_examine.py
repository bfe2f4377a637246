"""What each check finds in a model, and what is printed of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.datasets import get_example
from sardonyx.frontend.summary import summarize
from sardonyx.protocol.records import Check, TensorSpec
from sardonyx.registry.examine import examine, main, signature_of

Save = Callable[[str], Path]
X = np.float32([[1, 2], [3, 4], [5, 6]])
MUL = Path(get_example("mul_1.onnx"))


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save(text: str) -> Path:
        path = tmp_path / "model.onnx"
        head = '<ir_version: 10, opset_import: ["" : 21]>\n'
        path.write_bytes(onnx.parser.parse_model(head + text).SerializeToString())
        return path

    return save


def checks(path: Path, samples: Path | None = None) -> dict[str, Check]:
    return {check.name: check for check in examine(path, samples)}


def parity(folder: Path, path: Path = MUL, **arrays: Any) -> Check:
    np.savez(folder / "samples.npz", **arrays)
    return checks(path, folder / "samples.npz")["parity"]


def test_a_signature_says_what_goes_in_and_out(save: Save) -> None:
    signature = signature_of(summarize(save("g (float[N,4] x, int64 n) => (float[N,4] y) { y = Relu(x) }")))
    assert signature.inputs == [
        TensorSpec(name="x", type="tensor(float)", shape=["N", 4]),
        TensorSpec(name="n", type="tensor(int64)", shape=[]),
    ]
    assert [output.name for output in signature.outputs] == ["y"]
    assert signature.operators == {"Relu": 1}


def test_a_sound_model_without_samples() -> None:
    found = checks(MUL)
    assert {name: check.verdict for name, check in found.items()} == {
        "checker": "passed",
        "smoke": "passed",
        "native": "passed",
        "parity": "skipped",
    }
    assert found["smoke"].detail == "outputs [3, 2]"


@pytest.mark.parametrize(
    ("declared", "shape"),
    [("float[N,M]", "[1, 8]"), ("int32[2]", "[2]"), ("string[K]", "[1]"), ("bool", "[]")],
)
def test_numbers_are_made_up_for_every_tensor(save: Save, declared: str, shape: str) -> None:
    found = checks(save(f"g ({declared} x) => ({declared} y) {{ y = Identity(x) }}"))["smoke"]
    assert (found.verdict, found.detail) == ("passed", f"outputs {shape}")


def test_what_is_no_tensor_is_not_made_up(save: Save) -> None:
    found = checks(save("g (seq(float[N]) x) => (int64 n) { n = SequenceLength(x) }"))["smoke"]
    assert (found.verdict, found.detail) == (
        "skipped",
        "the input x is seq(tensor(float)); random values exist for tensors only",
    )


def test_made_up_numbers_that_do_not_fit_are_a_warning(save: Save) -> None:
    path = save("g (float[1] x, int64[16] at) => (float[16] y) { y = Gather(x, at) }")
    found = checks(path)["smoke"]
    assert found.verdict == "warning"
    assert found.detail.startswith("it fails on made-up numbers: ")


def test_a_model_that_cannot_be_loaded_has_no_more_checks(save: Save) -> None:
    found = checks(save("g (float[2] x) => (float[3] y) { y = Nonsense(x) }"))
    assert set(found) == {"checker", "smoke"}
    assert found["smoke"].verdict == "failed"
    assert "the engine cannot load it" in found["smoke"].detail


def test_answers_like_the_samples_pass(tmp_path: Path) -> None:
    found = parity(tmp_path, X=X, Y=X * X + 1e-5)
    assert found.verdict == "passed"
    assert found.detail.startswith("1 outputs, at most 1")


@pytest.mark.parametrize(
    ("arrays", "detail"),
    [
        ({"X": X, "Y": X * X + 1}, "Y is up to 1 from its sample"),
        ({"X": X, "Y": X}, "Y is up to 30 from its sample"),
        ({"X": X, "Y": X[0]}, "Y has shape (3, 2), the sample (2,)"),
        ({"X": X[0], "Y": X[0]}, "it fails on the samples: "),
        ({"x": X, "Y": X}, "the samples hold x, Y; needed are one input and one output of X, Y"),
        ({"X": X}, "the samples hold X; needed are one input and one output of X, Y"),
    ],
)
def test_answers_unlike_the_samples_fail(tmp_path: Path, arrays: dict[str, Any], detail: str) -> None:
    found = parity(tmp_path, **arrays)
    assert found.verdict == "failed"
    assert found.detail.startswith(detail)


def test_whole_numbers_must_be_equal(save: Save, tmp_path: Path) -> None:
    path = save("g (int64[2] x) => (int64[2] y) { y = Add(x, x) }")
    assert parity(tmp_path, path, x=np.array([1, 2]), y=np.array([2, 4])).verdict == "passed"
    found = parity(tmp_path, path, x=np.array([1, 2]), y=np.array([2, 5]))
    assert (found.verdict, found.detail) == ("failed", "y differs from its sample")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04junk", b"text"])
def test_samples_that_cannot_be_read_fail(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "samples.npz").write_bytes(data)
    found = checks(MUL, tmp_path / "samples.npz")["parity"]
    assert found.verdict == "failed"
    assert found.detail.startswith("the samples cannot be read: ")


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_lines_come_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sardonyx.registry.examine._be_ended_first", lambda: None)
    np.savez(tmp_path / "s.npz", X=X, Y=X * X)
    assert main([str(MUL), str(tmp_path / "s.npz")]) == 0
    first, *rest = printed(capsys)
    assert first["signature"]["operators"] == {"Mul": 1}
    assert [line["check"]["name"] for line in rest] == ["checker", "smoke", "native", "parity"]
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"this is not a model")
    assert main([str(wrong)]) == 0
    (line,) = printed(capsys)
    assert (line["check"]["name"], line["check"]["verdict"]) == ("checker", "failed")
