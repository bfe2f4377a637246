"""From a file to a smaller file, and what cannot be done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import sardonyx.compression.compression as subject
from sardonyx.compression import Compressed, CompressionError, convert_precision, quantize
from tests.unit.compression.models import drawn, picture_net, two_layers

SAMPLES = [{"x": drawn(6, 48, seed=seed)} for seed in range(2)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    onnx.save(two_layers(), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.mark.parametrize("kind", ["dynamic", "static", "weights"])
def test_a_file_becomes_a_smaller_file(source: Path, kind: str) -> None:
    made = quantize(source, source.with_name("o.onnx"), kind, SAMPLES, symmetric=True)
    assert isinstance(made, Compressed)
    assert made.bytes_after < made.bytes_before == source.stat().st_size
    assert made.bytes_after == made.path.stat().st_size
    assert made.judgement is not None
    assert 0 < made.judgement.error < 0.2
    assert sorted(path.name for path in source.parent.iterdir()) == ["m.onnx", "o.onnx"]


def test_precision_is_told_with_every_node(source: Path) -> None:
    made = convert_precision(source, source.with_name("o.onnx"), "fp16", SAMPLES, edges=True, by_node=True)
    assert made.judgement is not None
    assert made.judgement.error < 2e-3
    assert set(made.judgement.nodes) == {"a", "b", "h", "y"}
    assert onnx.load(made.path).graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16


def test_the_worst_nodes_are_left_alone_until_the_error_holds(source: Path) -> None:
    free = quantize(source, source.with_name("o.onnx"), "weights", SAMPLES)
    assert free.judgement is not None
    model = onnx.load(source)
    onnx.save(model, source)
    bound = free.judgement.error * 0.9
    with pytest.raises(CompressionError, match="no node can be rewritten with an error of at most"):
        quantize(source, source.with_name("p.onnx"), "weights", SAMPLES, max_error=1e-9)
    assert not source.with_name("p.onnx").exists()
    made = convert_precision(source, source.with_name("p.onnx"), "fp16", SAMPLES, max_error=3e-4)
    assert made.judgement is not None
    assert made.judgement.error <= 3e-4
    assert bound > 0


def test_old_models_are_upgraded(tmp_path: Path) -> None:
    old = picture_net()
    old.opset_import[0].version = 12
    onnx.save(old, tmp_path / "m.onnx")
    made = quantize(tmp_path / "m.onnx", tmp_path / "o.onnx", "static", [{"x": drawn(2, 3, 16, 16)}])
    assert made.notes == ["upgraded to opset 13"]
    assert onnx.load(made.path).opset_import[0].version == 13


def test_convolutions_become_bfloat16_where_an_opset_knows_that(tmp_path: Path) -> None:
    old = picture_net()
    old.opset_import[0].version = 12
    onnx.save(old, tmp_path / "m.onnx")
    made = convert_precision(tmp_path / "m.onnx", tmp_path / "o.onnx", "bf16", [{"x": drawn(2, 3, 16, 16)}])
    assert made.notes == ["upgraded to opset 22"]
    assert made.changed == ["a", "r", "p", "s", "t", "g", "f", "y"]
    written = onnx.load(made.path)
    onnx.checker.check_model(written, full_check=True)
    assert {w.data_type for w in written.graph.initializer} == {onnx.TensorProto.BFLOAT16}
    assert made.judgement is not None and made.judgement.error < 0.02


def test_nodes_are_written_in_order(tmp_path: Path) -> None:
    unsorted = two_layers()
    nodes = list(unsorted.graph.node)[::-1]
    del unsorted.graph.node[:]
    unsorted.graph.node.extend(nodes)
    onnx.save(unsorted, tmp_path / "m.onnx")
    made = convert_precision(tmp_path / "m.onnx", tmp_path / "o.onnx")
    onnx.checker.check_model(onnx.load(made.path), full_check=True)
    assert made.changed == ["a", "b", "h", "y"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bits": 4}, "weights of 4 bits: dynamic knows 7 and 8"),
        ({"kind": "weights", "bits": 7}, "weights knows 4 and 8"),
        ({"leave": ["nothing"]}, "no node 'nothing'"),
        ({"max_error": 0.1}, "errors are measured on samples"),
        ({"kinds": ("Conv",)}, r"nothing to rewrite \(dynamic takes Conv with .* has only Add, Gemm, MatMul"),
        ({"kinds": ("Relu",)}, "dynamic cannot rewrite Relu: it knows MatMul, Gemm, Gather, LSTM, Conv"),
        ({"kind": "weights", "kinds": ("Gather",)}, "weights cannot rewrite Gather: it knows MatMul, Gemm"),
        ({"kind": "weights", "block": 24}, "blocks of 24 weights: they are powers of two from 16 on"),
        ({"kind": "static"}, "ranges need samples"),
    ],
)
def test_what_cannot_be_done_is_said(source: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(subject.SardonyxError, match=said):
        quantize(source, source.with_name("o.onnx"), **options)
    assert [path.name for path in source.parent.iterdir()] == ["m.onnx"]


def test_weights_beside_a_large_model(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LARGE_BYTES", 0)
    output = source.with_name("o.onnx")
    made = quantize(source, output, samples=SAMPLES)
    data = source.with_name("o.onnx.data")
    assert made.bytes_after == output.stat().st_size + data.stat().st_size
    from sardonyx import InferenceSession

    got = InferenceSession(output).run(None, SAMPLES[0])[0]
    assert np.isfinite(got).all()


def test_a_damaged_model_is_told_as_such(source: Path) -> None:
    model = onnx.load(source)
    del model.graph.node[0].input[:]
    onnx.save(model, source)
    with pytest.raises(CompressionError, match="the model is damaged"):
        convert_precision(source, source.with_name("o.onnx"), "fp16")
    model.opset_import[0].domain = "elsewhere"
    onnx.save(model, source)
    with pytest.raises(CompressionError, match="imports no opset of ai.onnx"):
        quantize(source, source.with_name("o.onnx"), "dynamic")
