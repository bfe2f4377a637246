"""From a file to a version: what is looked at before it enters, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sardonyx.client.content import content_of
from sardonyx.datasets import get_example
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import Lineage, Registration
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.checks import examined
from sardonyx.registry.fetching import Fetching
from sardonyx.registry.registration import Registrar, Uploaded


@pytest.fixture
def registrar(catalog: Catalog, store: ArtefactStore) -> Registrar:
    return Registrar(catalog, store, Fetching(paths=True))


def with_external_data(folder: Path, location: str = "weights.bin") -> Path:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [300], np.ones(300, np.float32).tobytes(), raw=True)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "add",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 300])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 300])],
        [weights],
    )
    path = folder / "add.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    if location != "weights.bin":
        model = onnx.load(path, load_external_data=False)
        model.graph.initializer[0].external_data[0].value = location
        path.write_bytes(model.SerializeToString())
    return path


def test_a_file_enters_with_its_signature_checks_and_lineage(registrar: Registrar, tmp_path: Path) -> None:
    samples = tmp_path / "samples.npz"
    x = np.float32([[1, 2], [3, 4], [5, 6]])
    np.savez(samples, X=x, Y=x * x)
    version = registrar.register(
        "mul",
        Registration(
            source=get_example("mul_1.onnx"),
            samples=str(samples),
            aliases=["champion"],
            lineage=Lineage(framework="numpy", parent="mul:0"),
        ),
        "tester",
    )
    assert [(spec.name, spec.shape) for spec in version.signature.inputs] == [("X", [3, 2])]
    assert {check.name: check.verdict for check in version.checks} == {
        "checker": "passed",
        "smoke": "passed",
        "native": "passed",
        "parity": "passed",
    }
    assert version.lineage.source.endswith("mul_1.onnx")
    assert version.aliases == ["champion"]


def test_secrets_of_a_source_are_not_kept(catalog: Catalog, store: ArtefactStore, tmp_path: Path) -> None:
    uploaded = Uploaded(Path(get_example("mul_1.onnx")))
    source = "https://ada:hunter2@host/m.onnx?signature=hunter2"
    registrar = Registrar(catalog, store, Fetching())
    version = registrar.register("mul", Registration(source=source), "tester", uploaded)
    assert version.lineage.source == "https://host/m.onnx"
    wrong = Uploaded(uploaded.source, tmp_path / "none.npz")
    with pytest.raises(ServeError) as caught:
        registrar.register("mul", Registration(source=source), "tester", wrong)
    assert "hunter2" not in caught.value.message


def test_what_is_not_needed_for_a_day_goes(store: ArtefactStore, tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(b"model")
    folders = [store.materialise(name, store.put({"model.onnx": source})) for name in ("a", "b", "c")]
    for folder in folders[:2]:
        os.utime(folder, (0, 0))
    store.prune({"a"})
    assert [folder.is_dir() for folder in folders] == [True, False, True]


def test_answers_unlike_the_samples_refuse_unless_forced(registrar: Registrar, tmp_path: Path) -> None:
    samples = tmp_path / "samples.npz"
    x = np.float32([[1, 2], [3, 4], [5, 6]])
    np.savez(samples, X=x, Y=x * x + 1)
    registration = Registration(source=get_example("mul_1.onnx"), samples=str(samples))
    with pytest.raises(ServeError, match="parity.*up to 1 from its sample"):
        registrar.register("mul", registration, "tester")
    forced = Registration(source=registration.source, samples=registration.samples, force=True)
    found = {check.name: check.verdict for check in registrar.register("mul", forced, "tester").checks}
    assert found["parity"] == "failed"


def test_external_data_comes_along(registrar: Registrar, store: ArtefactStore, tmp_path: Path) -> None:
    source = with_external_data(tmp_path)
    version = registrar.register("add", Registration(source=str(source)), "tester")
    assert [file.path for file in version.files] == ["model.onnx", "weights.bin"]
    folder = store.materialise(version.digest, version.files)
    assert examined(folder / "model.onnx").failed == []


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "a/../../secret.bin", "missing.bin"])
def test_external_data_stays_in_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(1200))
    (tmp_path / "models").mkdir()
    with pytest.raises(ServeError, match="outside of its folder|not beside it"):
        content_of(with_external_data(tmp_path / "models", location))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(Path(get_example("mul_1.onnx")).read_bytes())
    (folder / "labels.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ServeError, match="outside of its folder"):
        content_of(folder)


def test_no_model_is_told(registrar: Registrar, catalog: Catalog, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"this is not a model")
    with pytest.raises(ServeError, match="not an ONNX model") as caught:
        registrar.register("wrong", Registration(source=str(wrong)), "tester")
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert catalog.models() == []


def test_an_examination_that_takes_too_long_fails(tmp_path: Path) -> None:
    found = examined(Path(get_example("mul_1.onnx")), limit_s=0.05)
    assert [check.verdict for check in found.failed] == ["failed"]
    assert "not done after" in found.failed[0].detail


def test_a_remote_server_takes_no_paths_and_no_stores(tmp_path: Path) -> None:
    for source in ("/etc/passwd", "file:///etc/passwd", "s3://bucket/key", "ftp://host/x", "memory://x"):
        with pytest.raises(ServeError) as caught:
            Fetching().fetched(source, tmp_path)
        assert caught.value.code is Code.INVALID_ARGUMENT
    with pytest.raises(
        ServeError, match="'ftp://host/x': sources are paths and URLs of http, https, s3, .*, hf$"
    ):
        Fetching(paths=True).fetched("ftp://host/x", tmp_path)
