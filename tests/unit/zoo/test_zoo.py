"""The package's names, and a session of whatever a reference brings."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from sardonyx import datasets, zoo
from sardonyx.zoo import references
from tests.zoo.server import Shelf, serving


def test_every_name_is_there() -> None:
    assert all(callable(getattr(zoo, name)) for name in zoo.__all__)


def test_a_reference_becomes_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_ZOO", str(tmp_path))
    monkeypatch.delenv(references.MIRRORS, raising=False)
    content = Path(shutil.copy(datasets.get_example("mul_1.onnx"), tmp_path)).read_bytes()
    with serving(Shelf({"/mul.onnx": content})) as shelf:
        session = zoo.load(shelf.url("/mul.onnx"), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"X": np.ones((3, 2), np.float32)})
    assert answer.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_tasks_and_names_that_are_none() -> None:
    with pytest.raises(zoo.FetchError, match="no task 'cook'"):
        zoo.pipeline("cook")
    with pytest.raises(zoo.FetchError, match=r"no model 'magica'; is it magika"):
        zoo.load("magica")
