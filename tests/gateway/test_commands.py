"""The commands, over a home folder and over a server: the same words do the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.client import Client
from sardonyx.gateway.gateway import Gateway
from sardonyx.tools.cli import main
from tests.gateway.running import entered

Adding = Callable[[int], Path]
CONFIG = """
name: "digits"
platform: "onnxruntime_onnx"
max_batch_size: 8
output [ { name: "y" data_type: TYPE_FP32 dims: [3] label_filename: "labels.txt" } ]
dynamic_batching { max_queue_delay_microseconds: 100 }
"""
DIGITS = (
    '<ir_version: 10, opset_import: ["" : 21]> digits (float[N, 3] x) => (float[N, 3] y) { y = Identity(x) }'
)


class Commands:
    """Runs commands with the same further options; what they print is JSON or text."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *options: str) -> None:
        self._capsys = capsys
        self._options = options

    def text(self, *words: str, code: int = 0) -> str:
        found = main([*words, *self._options])
        captured = self._capsys.readouterr()
        assert found == code, captured.err
        return captured.err if code else captured.out

    def json(self, *words: str) -> Any:
        return json.loads(self.text(*words, "--json"))


@pytest.fixture(params=["home", "server"])
def commands(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], gateway: Gateway
) -> Commands:
    if request.param == "home":
        return Commands(capsys, "--home", str(tmp_path / "home"))
    return Commands(capsys, "--server", gateway.server.http_url)


def soon_ready(client: Client, model: str) -> None:
    for _ in range(100):
        if client.ready(model):
            return
        time.sleep(0.05)
    pytest.fail(f"{model} is not served")


def test_from_a_file_to_production(commands: Commands, adding: Adding, gateway: Gateway) -> None:
    version = commands.json(
        "register", "add", str(adding(1)), "--alias", "champion", "--framework", "by hand"
    )
    assert (version["version"], version["aliases"]) == ("1", ["champion"])
    assert version["lineage"]["framework"] == "by hand"
    entered(gateway, "add", adding(2))
    assert "add  2 versions  @champion=1" in commands.text("models")
    assert "check smoke" in commands.text("model", "add@champion")
    commands.text("model", "add:2", "--stage", "staging", "--tag", "team=a", "--alias", "next")
    assert commands.json("model", "add:2")["tags"] == {"team": "a"}
    assert "blue  add:1" in commands.text("deploy", "sum", "add@champion")
    assert "green  add:2" in commands.text("deploy", "sum", "add:2", "--weight", "10")
    assert commands.json("traffic", "sum", "blue=60", "green=40%")["traffic"]["weights"]["green"] == 40
    assert "100 %" in commands.text("promote", "sum", "green")
    commands.text("rollback", "sum", "--reason", "too much")
    assert "* 3  blue=60 green=40" in commands.text("traffic", "sum")
    assert "running step 1 of 2" in commands.text("canary", "sum", "green", "--steps", "50,100")
    assert "cancelled" in commands.text("canary", "sum", "--cancel")
    assert "traffic.rollback" in commands.text("audit", "--subject", "sum")
    assert "as they were written" in commands.text("audit", "--check")
    assert commands.text("endpoint", "sum", "--differences").strip() == "no answer of a shadow differed"


def test_keys(commands: Commands) -> None:
    assert "no key yet" in commands.text("key", "list")
    secret = commands.text("key", "create", "shop", "--role", "admin", "--expires", "30d").strip()
    assert secret.startswith("sdx_")


def test_mistakes_are_told(commands: Commands, adding: Adding, tmp_path: Path) -> None:
    for words, said in (
        (["register", "add", str(tmp_path / "none.onnx")], "no such file"),
        (["register", "../x", str(adding(1))], "is not a valid name"),
        (["register", "a b", str(adding(1))], "cannot be the name"),
        (["model", "none"], "no model is registered as 'none'"),
        (["deploy", "sum", "none"], "no model is registered"),
        (["traffic", "none", "blue=100"], "no endpoint 'none'"),
        (["traffic", "none", "blue=much"], "not a percentage"),
        (["canary", "sum", "blue", "--steps", "x"], "expected percentages"),
        (["key", "create", "k"], "needs a role"),
        (["key", "create", "k", "--role", "user", "--expires", "soon"], "not a time"),
        (["import", str(tmp_path / "none")], "is not a folder"),
    ):
        assert said in commands.text(*words, code=1), words


def test_a_triton_repository_comes_over(commands: Commands, client: Client, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for version in ("1", "3"):
        folder = repository / "digits" / version
        folder.mkdir(parents=True)
        onnx.save(onnx.parser.parse_model(DIGITS), folder / "model.onnx")
    (repository / "digits/config.pbtxt").write_text(CONFIG, encoding="utf-8")
    (repository / "digits/labels.txt").write_text("zero\none\ntwo\n", encoding="utf-8")
    (repository / "steps/1").mkdir(parents=True)
    (repository / "steps/1/model.py").write_text("raise SystemExit", encoding="utf-8")
    (repository / "steps/config.pbtxt").write_text('backend: "python"', encoding="utf-8")
    rows = commands.json("import", str(repository))
    assert [(row["name"], row.get("version"), row.get("why")) for row in rows] == [
        ("digits", "1", None),
        ("digits", "2", None),
        ("steps", None, "it is python: model.py"),
    ]
    version = client.version("digits", "2")
    assert version.tags == {"triton.version": "3"}
    assert version.config["max_batch_size"] == 8
    soon_ready(client, "digits")
    body = {
        "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0, 5, 1]}],
        "outputs": [{"name": "y", "parameters": {"classification": 1}}],
    }
    answer = client._http.post("/v2/models/digits/infer", json=body).json()
    assert answer["outputs"][0]["data"] == ["5.000000:1:one"]


@pytest.fixture
def mlflow_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adding: Adding) -> Iterator[None]:
    """A real registry of MLflow with one model of two versions, and one that is not ONNX."""
    tracking = pytest.importorskip("mlflow.tracking", reason="mlflow-skinny is not installed")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", uri)
    registry = tracking.MlflowClient(uri, uri)
    registry.create_registered_model("add")
    registry.create_registered_model("forest")
    for name, number, flavor in (("add", 1, "onnx"), ("add", 2, "onnx"), ("forest", 1, "sklearn")):
        folder = tmp_path / f"artifacts/{name}{number}"
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(adding(number).read_bytes())
        text = f"flavors:\n  {flavor}:\n    data: model.onnx\nrun_id: run-{number}\n"
        (folder / "MLmodel").write_text(text, encoding="utf-8")
        registry.create_model_version(name, folder.as_uri(), tags={"team": "a"}, description="sums")
    registry.set_registered_model_alias("add", "champion", "1")
    yield
    registry._tracking_client.store.engine.dispose()
    registry._get_registry_client().store.engine.dispose()


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_registry")
@pytest.mark.filterwarnings("ignore")
def test_a_registry_of_mlflow_comes_over(commands: Commands, client: Client, tmp_path: Path) -> None:
    rows = commands.json("import", "mlflow:models:/add")
    assert [row.get("version") for row in rows] == ["1", "2"]
    version = client.version("add", "@champion")
    assert version.version == "1"
    assert (version.description, version.tags) == ("sums", {"team": "a", "mlflow.version": "1"})
    assert (version.lineage.run, version.lineage.source) == ("run-1", "mlflow:models:/add/1")
    assert commands.json("import", "mlflow:models:/add@champion", "--name", "other")[0]["name"] == "other"
    assert "its flavors are sklearn" in json.dumps(_left(commands, "mlflow:models:/forest/1"))
    folder = str(tmp_path / "artifacts/add2")
    assert commands.json("import", folder)[0]["name"] == "add2"
    soon_ready(client, "add2")
    np.testing.assert_array_equal(client.infer("add2", {"x": np.float32([1])})["y"], [3])


def _left(commands: Commands, origin: str) -> Any:
    assert main(["import", origin, "--json", *commands._options]) == 1
    return json.loads(commands._capsys.readouterr().out)
