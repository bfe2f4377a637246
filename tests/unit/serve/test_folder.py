"""Names and versions of models in a folder, as they lie there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve.folder import FolderSource


def put(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    return root


def found(path: Path, name: str = "", *, programs: bool = True) -> list[tuple[str, str, str]]:
    offers = FolderSource(path, name, programs=programs).offers()
    return [
        (o.name, o.version, o.path.relative_to(path if path.is_dir() else path.parent).as_posix())
        for o in offers
    ]


def test_a_file_is_a_model(tmp_path: Path) -> None:
    put(tmp_path, "digits.onnx", "faces/model.onnx")
    assert found(tmp_path / "digits.onnx") == [("digits", "1", "digits.onnx")]
    assert found(tmp_path / "digits.onnx", "other") == [("other", "1", "digits.onnx")]
    assert found(tmp_path / "faces/model.onnx") == [("faces", "1", "model.onnx")]


def test_files_side_by_side_and_folders_with_versions(tmp_path: Path) -> None:
    put(
        tmp_path,
        "b.onnx",
        "a/1/model.onnx",
        "a/10/net.onnx",
        "a/2/model.onnx",
        "c/model.onnx",
        "d/notes.txt",
        "e.txt",
    )
    assert found(tmp_path) == [
        ("a", "1", "a/1/model.onnx"),
        ("a", "2", "a/2/model.onnx"),
        ("a", "10", "a/10/net.onnx"),
        ("b", "1", "b.onnx"),
        ("c", "1", "c/model.onnx"),
    ]


def test_a_folder_of_one_model_has_its_name(tmp_path: Path) -> None:
    put(tmp_path / "digits", "1/model.onnx")
    assert found(tmp_path / "digits") == [("digits", "1", "1/model.onnx")]
    assert found(tmp_path / "digits", "other") == [("other", "1", "1/model.onnx")]


@pytest.mark.parametrize(
    ("config", "versions"),
    [
        ("", ["1", "2", "3"]),
        ("max_batch_size: 1", ["3"]),
        ("version_policy { latest { num_versions: 2 } }", ["2", "3"]),
        ("version_policy { all { } }", ["1", "2", "3"]),
        ("version_policy { specific { versions: [ 1, 3, 9 ] } }", ["1", "3"]),
    ],
)
def test_a_configuration_says_which_versions(tmp_path: Path, config: str, versions: list[str]) -> None:
    put(tmp_path, *(f"m/{n}/model.onnx" for n in (1, 2, 3)))
    if config:
        (tmp_path / "m/config.pbtxt").write_text(config)
    assert [version for _, version, _ in found(tmp_path)] == versions


def test_a_configuration_names_model_and_file(tmp_path: Path) -> None:
    put(tmp_path, "m/1/net.onnx", "m/1/model.onnx")
    (tmp_path / "m/config.pbtxt").write_text('name: "other" default_model_filename: "net.onnx"')
    assert found(tmp_path) == [("other", "1", "m/1/net.onnx")]


def test_a_configuration_that_is_none_is_told(tmp_path: Path) -> None:
    put(tmp_path, "m/1/model.onnx")
    (tmp_path / "m/config.pbtxt").write_text("nonsense")
    put(tmp_path, "n/1/model.onnx")
    (offer, other) = FolderSource(tmp_path).offers()
    assert "m/config.pbtxt" in offer.fault
    assert other.fault == ""


def test_programs_may_be_left_out(tmp_path: Path) -> None:
    put(tmp_path, "m/1/model.py", "n/1/model.py", "n/1/net.onnx")
    assert found(tmp_path) == [("m", "1", "m/1/model.py"), ("n", "1", "n/1/model.py")]
    assert found(tmp_path, programs=False) == [("n", "1", "n/1/net.onnx")]


def test_an_ensemble_needs_no_file(tmp_path: Path) -> None:
    (tmp_path / "m/1").mkdir(parents=True)
    assert found(tmp_path) == []
    (tmp_path / "m/config.pbtxt").write_text('platform: "ensemble" ensemble_scheduling { step [ ] }')
    assert found(tmp_path) == [("m", "1", "m/1")]


def test_a_digest_changes_with_a_file_and_its_configuration(tmp_path: Path) -> None:
    put(tmp_path, "m/1/model.onnx")

    def digest() -> str:
        return FolderSource(tmp_path).offers()[0].digest

    digests = [digest(), digest()]
    os.utime(tmp_path / "m/1/model.onnx", (1, 1))
    digests.append(digest())
    (tmp_path / "m/config.pbtxt").write_text("max_batch_size: 1")
    digests.append(digest())
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_nothing_at_a_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="there is no such file or folder") as caught:
        FolderSource(tmp_path / "none")
    assert caught.value.code is Code.NOT_FOUND
