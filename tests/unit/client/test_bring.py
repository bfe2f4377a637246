"""What of MLflow's and Triton's folders becomes a version, and what is left, with the reason."""

from __future__ import annotations

import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnx
import pytest

from sardonyx.client.bring import Brought, brought, registered_as
from sardonyx.protocol.config import checked_config
from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.records import File, Lineage, Version

CONFIG = """
name: "digits"
default_model_filename: "net.onnx"
max_batch_size: 8
output [ { name: "y" data_type: TYPE_FP32 dims: [3] label_filename: "labels.txt" } ]
"""

MODEL = """
<ir_version: 10, opset_import: ["" : 21]>
net (float[N] x) => (float[N] y) {
    y = Relu(x)
}
"""


def written(path: Path, text: str = "content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def found(origin: object, name: str = "") -> list[Brought]:
    with brought(str(origin), name) as all_of_it:
        return all_of_it


def test_a_repository_of_triton(tmp_path: Path) -> None:
    for version in ("10", "9"):
        written(tmp_path / "a" / version / "net.onnx", version)
        written(tmp_path / "a" / version / "words.txt")
    written(tmp_path / "a" / "config.pbtxt", CONFIG)
    written(tmp_path / "a" / "labels.txt")
    written(tmp_path / "b" / "1" / "model.py")
    written(tmp_path / "b" / "config.pbtxt", 'backend: "python"')
    written(tmp_path / "c" / "1" / "only.onnx")
    (tmp_path / "d" / "1").mkdir(parents=True)
    written(tmp_path / "e" / "config.pbtxt", 'platform: "ensemble" ensemble_scheduling { step [] }')
    with brought(f"triton:{tmp_path}") as rows:
        assert [(row.name, row.why) for row in rows] == [
            ("digits", ""),
            ("digits", ""),
            ("b", "it is python: model.py"),
            ("c", ""),
            ("d", "it is not an ONNX file: nothing"),
            ("e", "an ensemble has no file of its own; serve it from its folder"),
        ]
        older, newer = rows[:2]
        assert (older.tags, newer.tags) == ({"triton.version": "9"}, {"triton.version": "10"})
        assert newer.source is not None
        assert sorted(file.name for file in newer.source.iterdir()) == [
            "labels.txt",
            "model.onnx",
            "words.txt",
        ]
        assert (newer.source / "model.onnx").read_text() == "10"
        assert newer.config["max_batch_size"] == 8 and {"name", "default_model_filename"}.isdisjoint(
            newer.config
        )
        assert newer.lineage.source == newer.origin == f"triton:{tmp_path}/a/10"
    assert not newer.source.exists()


def test_one_model_of_triton_may_be_named(tmp_path: Path) -> None:
    written(tmp_path / "net" / "1" / "model.onnx")
    assert [row.name for row in found(tmp_path / "net")] == ["net"]
    assert [row.name for row in found(tmp_path / "net", "other")] == ["other"]


def test_what_was_registered_before_is_found(tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(MODEL), written(tmp_path / "a" / "1" / "model.onnx"))
    written(tmp_path / "a" / "config.pbtxt", "max_batch_size: 8")
    content = (tmp_path / "a" / "1" / "model.onnx").read_bytes()
    file = File(path="model.onnx", sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    with brought(f"triton:{tmp_path}") as (one,):

        def registered(**more: Any) -> Version:
            known: dict[str, Any] = {
                "model": "a",
                "version": "4",
                "digest": "d",
                "size_bytes": len(content),
                "files": [file],
                "config": checked_config({"max_batch_size": 8}, "a"),
                "lineage": Lineage(source=one.origin),
                "created_at": datetime(2026, 1, 2, tzinfo=UTC),
                "created_by": "me",
            }
            return Version(**(known | more))

        same = registered()
        others = [
            registered(lineage=Lineage(source="elsewhere")),
            registered(files=[File(path="model.onnx", sha256="0", size_bytes=len(content))]),
            registered(files=[file, File(path="labels.txt", sha256="0", size_bytes=1)]),
            registered(config={}),
        ]
        assert registered_as(one, others) is None
        assert registered_as(one, [*others, same]) is same
        assert registered_as(Brought("a", origin=one.origin, why="it is none"), [same]) is None


def test_what_is_neither(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=r"none is not a folder; write mlflow:models:/NAME"):
        found(tmp_path / "none")
    with pytest.raises(ServeError, match="holds neither MLmodel nor models in Triton's layout"):
        found(tmp_path)


@pytest.fixture
def yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML as far as these files use it: Python's own literals."""
    import ast

    module = ModuleType("yaml")
    module.YAMLError = ValueError  # type: ignore[attr-defined]

    def load(text: str) -> Any:
        try:
            return ast.literal_eval(text)
        except SyntaxError as error:
            raise ValueError(str(error)) from error

    module.safe_load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "yaml", module)


@pytest.mark.usefixtures("yaml")
def test_a_folder_of_mlflow_3_has_the_name_of_its_model(tmp_path: Path) -> None:
    folder = tmp_path / "m-1" / "artifacts"
    written(folder / "model.onnx")
    written(folder / "MLmodel", repr({"flavors": {"onnx": {"data": "model.onnx"}}}))
    assert [one.name for one in found(folder)] == ["m-1"]
    assert [one.name for one in found(folder, "digits")] == ["digits"]


@pytest.mark.usefixtures("yaml")
def test_a_folder_of_mlflow(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    written(folder / "model.onnx")
    document = {"run_id": "r1", "flavors": {"onnx": {"data": "model.onnx"}}}
    written(folder / "MLmodel", repr(document))
    for origin in (folder, f"mlflow:{folder}"):
        (row,) = found(origin)
        assert (row.name, row.source, row.lineage.run) == ("net", folder / "model.onnx", "r1")
        assert row.origin == f"mlflow:{folder}"
    assert found(folder, "other")[0].name == "other"
    written(folder / "MLmodel", repr({"flavors": {"sklearn": {}, "python_function": {}}}))
    (row,) = found(folder)
    assert row.source is None
    assert row.why == "its flavors are python_function, sklearn; convert it with `sardonyx convert`"
    written(folder / "MLmodel", "[]")
    assert found(folder)[0].why.startswith("its flavors are nothing")
    written(tmp_path / "secret")
    for data in ("../secret", "missing.onnx"):
        written(folder / "MLmodel", repr({"flavors": {"onnx": {"data": data}}}))
        with pytest.raises(ServeError, match=rf"mlflow:.*'{data}' is not in its folder"):
            found(folder)
    written(folder / "MLmodel", "{")
    with pytest.raises(ServeError, match="MLmodel cannot be read"):
        found(folder)


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry with two versions of `net`, the second of which has an alias."""

    class MlflowError(Exception):
        pass

    rows = {
        number: SimpleNamespace(
            name="net",
            version=number,
            aliases=["best"] * (number == "10"),
            tags={"team": 1},
            run_id="",
            description="d",
        )
        for number in ("9", "10")
    }

    class Client:
        def get_model_version_by_alias(self, model: str, alias: str) -> Any:
            return rows["10"]

        def get_model_version(self, model: str, number: str) -> Any:
            if number not in rows:
                raise MlflowError(f"no version {number}")
            return rows[number]

        def search_model_versions(self, text: str) -> Any:
            return [rows["10"], rows["9"]] if text == "name='net'" else []

        def get_model_version_download_uri(self, model: str, number: str) -> str:
            return f"runs:/{number}"

    def download(artifact_uri: str, dst_path: str) -> str:
        written(Path(dst_path) / "model.onnx", artifact_uri)
        written(
            Path(dst_path) / "MLmodel", repr({"run_id": "r", "flavors": {"onnx": {"data": "model.onnx"}}})
        )
        return dst_path

    for name, content in {
        "mlflow": {},
        "mlflow.artifacts": {"download_artifacts": download},
        "mlflow.exceptions": {"MlflowException": MlflowError},
        "mlflow.tracking": {"MlflowClient": Client},
    }.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.usefixtures("yaml", "mlflow")
@pytest.mark.parametrize(
    ("reference", "versions"), [("net", ["9", "10"]), ("net/9", ["9"]), ("net@best", ["10"])]
)
def test_the_registry_of_mlflow(reference: str, versions: list[str]) -> None:
    with brought(f"mlflow:models:/{reference}") as rows:
        assert [row.tags["mlflow.version"] for row in rows] == versions
        for row, number in zip(rows, versions, strict=True):
            assert (row.name, row.origin) == ("net", f"mlflow:models:/net/{number}")
            assert row.aliases == (("best",) if number == "10" else ())
            assert (row.tags["team"], row.description, row.lineage.run) == ("1", "d", "r")
            assert row.source is not None and row.source.read_text() == f"runs:/{number}"


@pytest.mark.usefixtures("yaml", "mlflow")
def test_what_mlflow_does_not_have() -> None:
    with pytest.raises(ServeError, match="MLflow has no model 'other'"):
        found("mlflow:models:/other")
    with pytest.raises(ServeError, match=r"mlflow:models:/net/3: no version 3"):
        found("mlflow:models:/net/3")
