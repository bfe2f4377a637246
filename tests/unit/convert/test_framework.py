"""What a row says of its framework without importing it, and what all frameworks share."""

from __future__ import annotations

import importlib.metadata
import sys

import numpy as np
import pytest

from sardonyx.convert.framework import Framework, batches, dice, shaped
from sardonyx.convert.frameworks.tabular import boosting


class Sparse:
    """A matrix that has to be asked for its numbers."""

    def toarray(self) -> np.ndarray:
        return np.eye(2)


def row(*needs: str, packages: tuple[str, ...] = ()) -> Framework:
    return Framework("k", "K", "tabular.boosting", needs, "tables", packages)


def test_importable_is_what_all_of_it_can_be_found() -> None:
    assert row("numpy", "onnx").is_importable()
    assert not row("numpy", "no_such_framework").is_importable()
    assert row().is_importable()


def test_a_converter_is_its_file() -> None:
    assert row("no_such_framework").converter() is boosting
    assert "no_such_framework" not in sys.modules


def test_versions_are_of_packages_that_are_installed() -> None:
    found = row(packages=("numpy", "no-such-package")).versions()
    assert found == {name: importlib.metadata.version(name) for name in ("numpy", "onnx")}


def test_the_dice_fall_alike() -> None:
    assert dice().integers(0, 1000, 8).tolist() == dice().integers(0, 1000, 8).tolist()


def test_rows_together_and_one_alone() -> None:
    together, alone = batches({"a": np.arange(6).reshape(3, 2), "b": np.arange(3)})
    assert together["a"].shape == (3, 2)
    assert (alone["a"].tolist(), alone["b"].tolist()) == ([[0, 1]], [0])


def test_answers_are_plain_arrays() -> None:
    dense, listed = shaped([Sparse(), [1, 2]])
    assert dense.tolist() == [[1, 0], [0, 1]] and listed.tolist() == [1, 2]


@pytest.mark.parametrize("kind", ["spam", ""])
def test_a_row_without_a_file_is_a_fault_of_the_table(kind: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        Framework("k", "K", kind or "none", (), "", ()).converter()
