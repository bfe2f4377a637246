"""A function as a source is told by its imports without running it, and called with care."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.convert.framework import ConvertError
from sardonyx.convert.functions import called, is_function, kind_of_function


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_reads_like_a_function(folder: Path) -> None:
    assert is_function("package.module:make")
    for text in ("model.onnx", "a:b:c", "1a:b", "a:", ":b", "a b:c"):
        assert not is_function(text)
    (folder / "a:b").write_text("")
    assert not is_function("a:b"), "a file of that name"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("import os\nfrom jax import numpy\nimport torch\n", "jax"),
        ("import keras.layers\n", "keras"),
        ("# import jax\nimport os\n", "torch"),
        ("raise SystemExit\nimport torch\n", "torch"),
    ],
)
def test_the_first_framework_that_is_imported(folder: Path, text: str, kind: str) -> None:
    (folder / "made_of.py").write_text(text)
    assert kind_of_function("made_of:make") == kind
    assert kind_of_function("nowhere.at.all:make") == "torch"


def test_what_a_name_stands_for(folder: Path) -> None:
    (folder / "own_makers.py").write_text(
        "def make():\n    return 5\nclass Kind:\n    inner = 7\nready = [1]\n", encoding="utf-8"
    )
    assert called("own_makers:make") == 5
    assert type(called("own_makers:Kind")).__name__ == "Kind"
    assert called("own_makers:Kind.inner") == 7
    assert called("own_makers:ready") == [1]
    with pytest.raises(ConvertError, match="no module 'not_there'"):
        called("not_there:make")
    with pytest.raises(ConvertError, match="absent"):
        called("own_makers:absent")
