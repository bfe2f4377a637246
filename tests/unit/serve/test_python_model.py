"""Steps in Python: what a file and its configuration must say, and what a function must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.config import read_config
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve.python_model import PythonCall, declared_signature, open_python
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Port, Signature
from tests.unit.serve.steps import ADD, ADD_CONFIG

SIGNATURE = Signature(
    "m", (Port("x", "FP32", (2,)),), (Port("y", "FP32", (2,)), Port("t", "BYTES", (None,))), False
)
X = np.float32([1, 2])


def offer(path: Path, config: str = ADD_CONFIG) -> Offer:
    return Offer("m", "3", path, "digest", read_config(config, "m"))


def file(folder: Path, program: str) -> Path:
    path = folder / "model.py"
    path.write_text(program)
    return path


def test_a_function_gets_its_inputs_by_name(tmp_path: Path) -> None:
    made = offer(file(tmp_path, ADD))
    signature = declared_signature(made)
    assert [(p.name, p.datatype, p.dims) for p in signature.inputs] == [
        ("a", "FP32", ("batch", 2)),
        ("b", "FP32", ("batch", 2)),
    ]
    assert signature.batches
    (found,) = open_python(made, signature)([np.ones((3, 2), np.float32)] * 2)
    np.testing.assert_array_equal(found, np.full((3, 2), 2))


def test_outputs_have_the_declared_types_and_texts_are_bytes() -> None:
    made = PythonCall(SIGNATURE, lambda x: {"y": [3, 4], "t": ["é", b"x"], "more": 1})
    y, t = made([X])
    assert (y.dtype, y.tolist(), t.tolist()) == (np.float32, [3, 4], ["é".encode(), b"x"])
    (only,) = made([X], (1,))
    assert only.tolist() == t.tolist()


def fail(x: Any) -> Any:
    raise KeyError("lost")


def refuse(x: Any) -> Any:
    raise ServeError(Code.INVALID_ARGUMENT, "not this one")


@pytest.mark.parametrize(
    ("function", "code", "message"),
    [
        (fail, Code.INTERNAL, "model 'm' failed: KeyError: 'lost'"),
        (refuse, Code.INVALID_ARGUMENT, "not this one"),
        (lambda x: 3, Code.INTERNAL, "model 'm' must give a dictionary with 'y'"),
        (lambda x: {"y": [1, 2]}, Code.INTERNAL, "model 'm' must give a dictionary with 't'"),
        (lambda x: {"y": [1], "t": ["a"]}, Code.INTERNAL, r"model 'm' gave 'y' of [1], not [2]"),
    ],
)
def test_what_goes_wrong_is_told(function: Any, code: Code, message: str) -> None:
    with pytest.raises(ServeError) as caught:
        PythonCall(SIGNATURE, function)([X])
    assert (caught.value.code, caught.value.message) == (code, message)


def test_a_generator_gives_one_answer_after_the_other() -> None:
    def count(x: Any) -> Any:
        for number in x.tolist():
            yield {"y": [number, number], "t": []}
        raise ValueError("the end")

    answers = PythonCall(SIGNATURE, count).each([X], (0,))
    assert [next(answers)[0].tolist() for _ in range(2)] == [[1, 1], [2, 2]]
    with pytest.raises(ServeError, match="model 'm' failed: ValueError: the end"):
        next(answers)
    assert [*PythonCall(SIGNATURE, lambda x: []).each([X])] == []


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("def run(", "failed: SyntaxError"),
        ("run = 3", "has no function 'run'"),
    ],
)
def test_a_file_that_is_no_step_is_told(tmp_path: Path, program: str, message: str) -> None:
    made = offer(file(tmp_path, program))
    with pytest.raises(ServeError, match=message) as caught:
        open_python(made, SIGNATURE)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_file_knows_where_it_lies(tmp_path: Path) -> None:
    made = offer(file(tmp_path, "def run(x):\n    return {'y': [0, 0], 't': [__file__]}\n"))
    assert open_python(made, SIGNATURE)([X], (1,))[0].tolist() == [str(tmp_path / "model.py").encode()]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("max_batch_size: 1", "its configuration must declare 'input' and 'output'"),
        ('output [ { name: "y" dims: [ 1 ] } ]', "'y' has no 'data_type' that is served"),
    ],
)
def test_a_configuration_declares_inputs_and_outputs(tmp_path: Path, config: str, message: str) -> None:
    with pytest.raises(ServeError, match=message):
        declared_signature(offer(tmp_path, config))


def test_sizes_below_nothing_are_free(tmp_path: Path) -> None:
    config = 'output [ { name: "y" data_type: TYPE_INT64 dims: [ -1, 3 ] } ]'
    signature = declared_signature(offer(tmp_path, config))
    assert (signature.outputs[0].dims, signature.batches) == ((None, 3), False)
