"""Feeds of a command line: files, random values, sizes by name; mistakes are told before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.base.signature import TensorInfo
from sardonyx.tools import inputs
from sardonyx.tools.console import UserError

X = TensorInfo("x", "tensor(float)", ("N", 3, None))


def test_pairs_and_sizes() -> None:
    assert inputs.parse_pairs(["a=b=c"], "--input") == {"a": "b=c"}
    assert inputs.parse_sizes(["N=4"]) == {"N": 4}
    for text in ("a", "=b", "a="):
        with pytest.raises(UserError, match="expected NAME=VALUE"):
            inputs.parse_pairs([text], "--input")
    with pytest.raises(UserError, match="whole number"):
        inputs.parse_sizes(["N=-1"])


def test_free_dimensions_have_names() -> None:
    assert inputs.dimension_names(X) == ["N", "x[2]"]
    values, invented = inputs.feeds([X], {}, {"N": 2, "x[2]": 5})
    assert values["x"].shape == (2, 3, 5)
    assert invented == ["x"]
    assert inputs.feeds([X], {"x": "random"}, {})[0]["x"].shape == (1, 3, 32)
    assert inputs.feeds([X], {"x": "random"}, {})[1] == []


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("float16", np.float16),
        ("int64", np.int64),
        ("bool", np.bool_),
        ("string", object),
        ("double", np.float64),
    ],
)
def test_random_values_repeat(kind: str, dtype: Any) -> None:
    info = TensorInfo("x", f"tensor({kind})", (4,))
    one, again, other = (inputs.feeds([info], {}, {}, seed=s)[0]["x"] for s in (1, 1, 2))
    assert one.dtype == dtype
    assert one.tolist() == again.tolist()
    assert one.shape == other.shape


def test_files(tmp_path: Path) -> None:
    array = np.float32([[1, 2]])
    np.save(tmp_path / "x.npy", array)
    assert inputs.feeds([X], {"x": str(tmp_path / "x.npy")}, {})[0]["x"].tolist() == [[1, 2]]
    (tmp_path / "bad.npy").write_bytes(b"x")
    for name in ("absent.npy", "bad.npy"):
        with pytest.raises(UserError, match=name):
            inputs.feeds([X], {"x": str(tmp_path / name)}, {})


def options(*given: str, dim: tuple[str, ...] = ()) -> Any:
    import argparse

    parser = argparse.ArgumentParser()
    inputs.add_input_options(parser)
    words = [word for text in given for word in ("--input", text)] + [w for d in dim for w in ("--dim", d)]
    return parser.parse_args(words)


def test_names_that_a_model_has_not() -> None:
    inputs.check_names([X], options("x=random", dim=("N=2", "x[2]=3")))
    with pytest.raises(UserError, match="no such input; it has x"):
        inputs.check_names([X], options("z=random"))
    with pytest.raises(UserError, match=r"no such free dimension; it has N, x\[2\]"):
        inputs.check_names([X], options(dim=("M=2",)))
    with pytest.raises(UserError, match="all its sizes are fixed"):
        inputs.check_names([TensorInfo("x", "tensor(float)", (3,))], options(dim=("M=2",)))
    inputs.check_input_options(options("x=random"))
