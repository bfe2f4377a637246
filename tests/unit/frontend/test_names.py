"""Names in another code page are read where nobody needs to write them, and refused where one must."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from sardonyx.errors import LoadError, SardonyxError
from sardonyx.frontend import load
from sardonyx.frontend.messages import ModelProto
from sardonyx.frontend.names import readable
from tests.unit.frontend.models import outputs, parsed

WRONG = (b"\xed\xa0\x80z", b"\xff\xfe\xfd\xfc", b"\xc3(zz", b"\xc4\xe3\xba\xc3")
"""A lone surrogate, bytes that begin no letter, one that is cut off, and a greeting in GBK."""


def model(**names: bytes) -> bytes:
    """A model in which names of four letters, such as `hhhh` of a value inside, are these bytes."""
    made = parsed("""
        gggg (float[2] xxxx) => (float[2] yyyy) {
            hhhh = Relu(xxxx)
            cccc = Constant<value_int = 1>()
            bbbb = Cast<to = 9>(cccc)
            yyyy = If(bbbb) <
                then_branch = then () => (float[2] tttt) { tttt = Neg(hhhh) },
                else_branch = other () => (float[2] eeee) { eeee = Identity(hhhh) }
            >
        }""")
    made.graph.node[0].name = "nnnn"
    made.producer_name = "pppp"
    text = made.SerializeToString()
    for name, other in names.items():
        assert name.encode() in text
        text = text.replace(name.encode(), other)
    return text


@pytest.mark.parametrize("name", ["gggg", "hhhh", "nnnn", "tttt", "pppp"])
@pytest.mark.parametrize("wrong", WRONG)
def test_names_inside_are_read(name: str, wrong: bytes) -> None:
    loaded = load(model(**{name: wrong}))
    (y,) = outputs(loaded, np.array([-1, 2], np.float32))
    np.testing.assert_array_equal(y, [0, -2])
    if name == "pppp":
        assert loaded.metadata.producer_name == wrong.decode("utf-8", "backslashreplace")


@pytest.mark.parametrize(("name", "what"), [("xxxx", "input"), ("yyyy", "output")])
@pytest.mark.parametrize("wrong", WRONG)
def test_names_that_a_caller_must_write_are_refused(name: str, what: str, wrong: bytes) -> None:
    with pytest.raises(LoadError, match=f"an {what}, .*is not UTF-8"):
        load(model(**{name: wrong}))


@pytest.mark.parametrize("name", ["Relu", "then"])
@pytest.mark.parametrize("wrong", WRONG)
def test_operators_and_attributes_that_nobody_knows_are_told(name: str, wrong: bytes) -> None:
    """In a cycle too, whose message names the operators."""
    whole = model(**{name: wrong})
    for text in (whole, whole.replace(b"xxxx", b"hhhh")):
        with pytest.raises(SardonyxError):
            load(text)


@pytest.mark.parametrize("wrong", WRONG)
def test_names_of_sizes_are_written_as_text(wrong: bytes) -> None:
    made = parsed("g (float[size] x) => (float[size] y) { y = Neg(x) }").SerializeToString()
    (x,) = load(made.replace(b"size", wrong)).inputs
    assert x.shape == (wrong.decode("utf-8", "backslashreplace"),)


def test_a_given_model_is_not_changed() -> None:
    given = ModelProto.FromString(model(hhhh=WRONG[1]))
    assert readable(given).graph.node[0].output[0] == r"\xff\xfe\xfd\xfc"
    assert given.graph.node[0].output[0] == WRONG[1]


def test_a_model_of_good_names_is_passed_through() -> None:
    given = onnx.ModelProto.FromString(model(hhhh="größ".encode()[:4]))
    given.graph.node[0].output[0] = given.graph.node[3].attribute[0].g.node[0].input[0] = "größe"
    assert readable(given) is given
