"""Pickles are opened, and what keeps one from being opened is said so that it can be mended."""

from __future__ import annotations

import pickle
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import pytest
from sklearn.linear_model import Ridge

from sardonyx.convert import ConvertError
from sardonyx.convert.frameworks.pickles import unpickled


class Own:
    """A class of a script."""

    def __init__(self) -> None:
        self.value = 1


def stored(path: Path, made: Any) -> str:
    path.write_bytes(pickle.dumps(made))
    return str(path)


def test_every_way_of_writing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Ridge(alpha=3.0)
    joblib.dump(model, tmp_path / "m.joblib", compress=3)
    import_module("skops.io").dump(model, tmp_path / "m.skops")
    plain = stored(tmp_path / "m.pkl", model)
    for source in (plain, str(tmp_path / "m.joblib"), str(tmp_path / "m.skops")):
        assert unpickled(source).alpha == 3.0
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert unpickled(plain).alpha == 3.0


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("gone_package")
    module.Own = type("Own", (), {"__module__": "gone_package"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gone_package", module)
    source = stored(tmp_path / "m.pkl", module.Own())
    monkeypatch.delitem(sys.modules, "gone_package")
    with pytest.raises(
        ConvertError, match=r"objects of the package 'gone_package', which this Python does not"
    ):
        unpickled(source)


def test_code_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = stored(tmp_path / "m.pkl", Own())
    monkeypatch.delattr(sys.modules[__name__], "Own")
    with pytest.raises(ConvertError, match=r"refers to code that is not there .*Own.*Put it into a module"):
        unpickled(source)


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps([1] * 99)[:-5])
    with pytest.raises(ConvertError, match=r"m\.pkl cannot be opened \(\w+: .*is the file whole"):
        unpickled(str(tmp_path / "m.pkl"))


def test_types_that_nobody_vouches_for_are_refused(tmp_path: Path) -> None:
    import_module("skops.io").dump({"model": Own()}, tmp_path / "m.skops")
    with pytest.raises(ConvertError, match=r"not part of known packages: .*Own; pass the live object"):
        unpickled(str(tmp_path / "m.skops"))
