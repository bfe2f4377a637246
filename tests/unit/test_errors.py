"""Every error is caught as the one root, and says of what kind it is."""

from __future__ import annotations

import re

import pytest

from sardonyx import errors

CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)]


@pytest.mark.parametrize("error", CLASSES)
def test_errors_are_of_one_tree_and_named_in_its_picture(error: type[errors.SardonyxError]) -> None:
    assert issubclass(error, errors.SardonyxError)
    assert error.__name__ in (errors.__doc__ or "")
    assert str(error("what, where")) == "what, where"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("rank 3"), "the node is malformed: rank 3"),
        (KeyError("mode"), "the node is malformed: 'mode' is none of what it may be"),
        (
            ValueError("too many values to unpack (expected 4)"),
            "the node is malformed: one of its inputs has.*",
        ),
        (IndexError("tuple index out of range"), "the node is malformed: a number names the place of .*"),
        (ZeroDivisionError("integer modulo by zero"), "the node is malformed: it divides by a size or .*"),
        (MemoryError(), "the node asks for more memory than there is"),
        (MemoryError("2 GiB"), "the node asks for more memory than there is: 2 GiB"),
        (RecursionError("depth"), errors.TOO_DEEP),
    ],
    ids=str,
)
def test_errors_of_python_are_told_of_their_node(error: Exception, said: str) -> None:
    assert re.fullmatch(said, errors.why_malformed(error))


def test_kinds_refine_classes() -> None:
    assert errors.LoadError("m", kind="empty").kind == "empty"
    assert errors.RunError("m").kind == ""


def test_needs_of_content_are_unsupported_until_answered() -> None:
    error = errors.NeedsContent("m", inputs=("x",), units=(("n", "x", 0),))
    assert isinstance(error, errors.UnsupportedOp)
    assert (error.inputs, error.sizes, error.units, error.answerable) == (("x",), (), (("n", "x", 0),), False)
