"""A compiled model behind the protocol: texts, scores by class, whose fault an error is, and its threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.datasets import get_example
from sardonyx.ort.exceptions import Fail, InvalidArgument, status
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve import engine
from sardonyx.serve.engine import SessionCall, encoded, open_session, plain, served_arguments
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Port, Signature, signature_of
from tests.serve.models import IDENTITY_OF_TEXTS, save


def offer(path: Path) -> Offer:
    return Offer("m", "1", path, "digest")


def call(path: Path) -> tuple[SessionCall, Signature]:
    session = open_session(offer(path), ServeOptions(threads=1), 1)
    inputs = [(a.name, a.type, a._info.shape) for a in session.get_inputs()]
    signature = signature_of("m", inputs, served_arguments(session.get_outputs()))
    return SessionCall("m", session, signature), signature


def test_texts_go_in_as_bytes_and_come_out_as_bytes(tmp_path: Path) -> None:
    made, _ = call(save(IDENTITY_OF_TEXTS, tmp_path / "m.onnx"))
    given = np.array([["é".encode(), "plain"]], object)
    (found,) = made([given])
    assert found.tolist() == [["é".encode(), b"plain"]]
    with pytest.raises(ServeError, match="input 'INPUT0' holds bytes that are not UTF-8 text") as caught:
        made([np.array([[b"\xff"]], object)])
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_scores_by_class_become_a_matrix_and_tell_the_classes() -> None:
    made, signature = call(Path(get_example("logreg_iris.onnx")))
    labels, scores = made([np.ones((3, 2), np.float32)])
    assert (labels.shape, scores.shape, scores.dtype) == ((3,), (3, 3), np.float32)
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    assert list(made.classes.values()) == [["0", "1", "2"]]
    assert [port.datatype for port in signature.outputs] == ["INT64", "FP32"]
    (only,) = made([np.ones((3, 2), np.float32)], (1,))
    np.testing.assert_array_equal(only, scores)


class Broken:
    """A session that fails as it is told to."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def run(self, *_: Any) -> Any:
        raise self._error

    def get_outputs(self) -> list[Any]:
        return []


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (status(InvalidArgument, "the rank is wrong"), Code.INVALID_ARGUMENT, "model 'm': the rank is wrong"),
        (ValueError("no x"), Code.INVALID_ARGUMENT, "model 'm': no x"),
        (status(Fail, "it broke"), Code.INTERNAL, "model 'm' failed: it broke"),
        (KeyError(), Code.INTERNAL, "model 'm' failed: KeyError"),
    ],
)
def test_an_error_says_whose_fault_it_is(error: Exception, code: Code, message: str) -> None:
    signature = Signature("m", (Port("x", "FP32", (2,)),), (), False)
    with pytest.raises(ServeError) as caught:
        SessionCall("m", Broken(error), signature)([np.zeros(2, np.float32)])  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.message) == (code, message)


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(ServeError, match="^model 'm' version 1: ") as caught:
        open_session(offer(tmp_path / "m.onnx"), ServeOptions(), 1)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert "ONNXRuntimeError" not in caught.value.message


@pytest.mark.parametrize(
    ("threads", "instances", "expected"), [(3, 1, 3), (3, 4, 3), (0, 1, 0), (0, 2, 4), (0, 99, 1)]
)
def test_instances_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, threads: int, instances: int, expected: int
) -> None:
    monkeypatch.setattr(engine, "team_size", lambda: 8)
    made = open_session(offer(Path(get_example("mul_1.onnx"))), ServeOptions(threads=threads), instances)
    assert made.get_session_options().intra_op_num_threads == expected


def test_messages_without_the_prefix_of_the_peer() -> None:
    assert plain(ValueError()) == "ValueError"
    assert plain(ValueError("a : b")) == "a : b"
    assert plain(status(Fail, "a : b : c")) == "a : b : c"
    assert encoded(np.array([["é", b"x"]], object)).tolist() == [["é".encode(), b"x"]]
