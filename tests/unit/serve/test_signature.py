"""A request fits a model or is told what does not; whether rows can be joined follows from the shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import RequestedOutput, Tensor
from sardonyx.serve.signature import Port, signature_of

F = "tensor(float)"


def made(*inputs: Any, outputs: Any = (("y", F, ("N", 2)),)) -> Any:
    return signature_of("m", inputs or (("x", F, ("N", 3)),), outputs)


def tensor(name: str = "x", datatype: str = "FP32", shape: tuple[int, ...] = (2, 3)) -> Tensor:
    return Tensor(name, datatype, shape, np.zeros(shape, np.float32))


def test_feeds_come_in_the_order_of_the_inputs() -> None:
    signature = made(("a", F, ("N",)), ("b", F, ("N",)))
    b, a = tensor("b", shape=(2,)), tensor("a", shape=(2,))
    assert [x is y.data for x, y in zip(signature.feeds([b, a]), [a, b], strict=True)] == [True, True]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([], "missing required input"),
        ([tensor("z")], "unexpected inference input 'z'"),
        ([tensor(), tensor()], "given twice"),
        ([tensor(datatype="FP64")], "data-type is 'FP64'"),
        ([tensor(shape=(2, 4))], r"Expected \[-1,3\], got \[2,4\]"),
        ([tensor(shape=(3,))], "unexpected shape"),
    ],
)
def test_what_does_not_fit_is_named(tensors: list[Tensor], message: str) -> None:
    with pytest.raises(ServeError, match=message):
        made().feeds(tensors)


def test_outputs_are_asked_by_name_and_once() -> None:
    signature = made(outputs=(("y", F, ("N",)), ("z", F, ("N",))))
    assert signature.wanted(None) == signature.wanted([]) == (0, 1)
    assert signature.wanted([RequestedOutput("z"), RequestedOutput("z")]) == (1,)
    with pytest.raises(ServeError, match="unexpected inference output 'q'"):
        signature.wanted([RequestedOutput("q")])


@pytest.mark.parametrize(
    ("shape", "output", "batches"),
    [
        (("N", 3), ("N", 2), True),
        ((None, 3), (None, 2), True),
        ((1, 3), (1, 2), False),
        (("N", "N"), ("N",), False),
        (("N", 3), (5,), False),
        ((), ("N",), False),
        (("N", 3), ("", 2), True),
    ],
)
def test_whether_shapes_allow_batches(shape: Any, output: Any, batches: bool) -> None:
    assert made(("x", F, shape), outputs=(("y", F, output),)).batches == batches


def test_a_raw_body_is_the_only_input() -> None:
    raw = np.float32([1, 2, 3]).view(np.uint8)
    assert made().named(raw).shape == (1, 3)
    free = signature_of("m", (("x", F, (2, "n")),), ())
    assert free.named(np.zeros(24, np.uint8)).shape == (2, 3)
    text = signature_of("m", (("t", "tensor(string)", ("N", 1)),), ())
    assert text.named(np.frombuffer(b"abc", np.uint8)).data.tolist() == [[b"abc"]]
    with pytest.raises(ServeError, match="one size open"):
        signature_of("m", (("x", F, ("a", "b")),), (("y", F, (1,)),)).named(raw)
    with pytest.raises(ServeError, match="must have one input"):
        made(("a", F, (1,)), ("b", F, (1,))).named(raw)


def test_types_that_the_protocol_does_not_have() -> None:
    for kind in ("seq(tensor(float))", "tensor(complex64)"):
        with pytest.raises(ServeError) as error:
            made(("x", kind, ("N",)))
        assert error.value.code is Code.UNSUPPORTED


def test_ports() -> None:
    assert Port("x", "FP32", ("N", None, 3)).shape == (-1, -1, 3)
    assert Port("x", "FP32", (), ranked=False).takes((1, 2, 3)), "a model that says nothing takes anything"
    assert made().described()["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]
