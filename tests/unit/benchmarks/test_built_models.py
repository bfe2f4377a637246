"""Models with drawn weights are as ONNX's checker wants them, finite, and the same for onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import built_models
import numpy as np
import onnx
import onnxruntime
import pytest
from built_models import Transformer

import sardonyx
from tests.tolerance import difference_of_models

SMALL = Transformer(layers=2, width=32, heads=4, inner=64, words=50, positions=40)
Write = Callable[[Path], None]
CASES: dict[str, tuple[Write, dict[str, Any]]] = {
    "bert": (lambda path: built_models.bert(path, SMALL), built_models.bert_feeds(9, SMALL)),
    "gpt2": (lambda path: built_models.gpt2(path, SMALL), built_models.gpt2_feeds(7, 0, SMALL)),
    "gpt2-step": (lambda path: built_models.gpt2(path, SMALL), built_models.gpt2_feeds(1, 12, SMALL)),
    "vit": (lambda path: built_models.vit(path, SMALL, 32, 8, 10), built_models.pixels(32)),
    "resnet18": (lambda path: built_models.resnet18(path, 4, 10), built_models.pixels(32)),
    "unet": (lambda path: built_models.unet(path, 4, 2), built_models.pixels(16)),
}


@pytest.mark.parametrize("name", CASES)
def test_both_engines_make_the_same_of_it(name: str, tmp_path: Path) -> None:
    write, feeds = CASES[name]
    path = tmp_path / "model.onnx"
    write(path)
    onnx.checker.check_model(path, full_check=True)
    session, peer = sardonyx.InferenceSession(str(path)), onnxruntime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    pairs = zip(names, session.run(names, feeds), peer.run(names, feeds), strict=True)
    for output, actual, expected in pairs:
        assert np.isfinite(expected).all() and expected.std() > 1e-3, output
        assert (wrong := difference_of_models(actual, expected)) is None, f"{output}: {wrong}"


def test_a_step_with_a_cache_is_the_end_of_a_whole_prefill(tmp_path: Path) -> None:
    path = tmp_path / "gpt2.onnx"
    built_models.gpt2(path, SMALL)
    session = sardonyx.InferenceSession(str(path))
    whole = built_models.gpt2_feeds(8, 0, SMALL)
    first = {**whole, "input_ids": whole["input_ids"][:, :7]}
    last = {
        name.replace("present", "past"): v for name, v in _run(session, first).items() if name != "logits"
    }
    stepped = _run(session, {**last, "input_ids": whole["input_ids"][:, 7:]})
    expected = _run(session, whole)
    for name, value in expected.items():
        wrong = difference_of_models(stepped[name], value[:, 7:] if name == "logits" else value)
        assert wrong is None, f"{name}: {wrong}"


def test_padding_is_hidden(tmp_path: Path) -> None:
    path = tmp_path / "bert.onnx"
    built_models.bert(path, SMALL)
    session = sardonyx.InferenceSession(str(path))
    short, padded = built_models.bert_feeds(6, SMALL), built_models.bert_feeds(9, SMALL)
    padded["input_ids"][:, :6] = short["input_ids"]
    padded["attention_mask"][:, 6:] = 0
    (plain,), (masked,) = session.run(None, short), session.run(None, padded)
    assert difference_of_models(masked[:, :6], plain) is None


def test_a_file_depends_on_sizes_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "unet.onnx", tmp_path / "b" / "unet.onnx"
    for path in (one, other):
        path.parent.mkdir()
        built_models.unet(path, 2, 1)
    assert one.read_bytes() == other.read_bytes()


def test_a_quantised_model_is_made_of_one_in_floats(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    kinds = {"static": "QuantizeLinear", "dynamic": "MatMulInteger"}
    for kind, operator in kinds.items():
        samples = [built_models.pixels(32)] if kind == "static" else []
        built_models.quantised(lambda path: built_models.resnet18(path, 8, 10), kind, samples)(path)
        assert operator in {node.op_type for node in onnx.load(path).graph.node}
        (logits,) = sardonyx.InferenceSession(str(path)).run(None, built_models.pixels(32))
        assert np.isfinite(logits).all() and logits.std() > 1e-3
    assert [file.name for file in tmp_path.iterdir()] == ["small.onnx"]


def test_every_model_has_feeds_of_its_inputs() -> None:
    found = {name: list(feeds()) for name, (_, feeds) in built_models.MODELS.items()}
    assert found["bert_base"] == ["128 tokens", "512 tokens"]
    assert found["gpt2"] == ["64 tokens", "1 token after 128"]
    step = built_models.MODELS["gpt2"][1]()["1 token after 128"]
    assert step["input_ids"].shape == (1, 1) and step["past.11.value"].shape == (1, 12, 128, 64)


def _run(session: Any, feeds: dict[str, Any]) -> dict[str, Any]:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))
