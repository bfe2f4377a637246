"""Where a source is exported, what goes to that process and comes back, and what is said if none comes."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx.convert import exports, worker
from sardonyx.convert.framework import Case, ConvertError, Exported, Framework, Request
from sardonyx.convert.frameworks import FRAMEWORKS, framework

ROW = framework("onnx")
TEXT = '<ir_version: 8, opset_import: ["" : 17]> g (float[N, 2] x) => (float[N, 2] y) { y = Add(x, x) }'


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.parser.parse_model(TEXT).SerializeToString())
    return str(path)


def test_an_object_needs_its_framework_here(tmp_path: Path) -> None:
    row = Framework("spam", "Spam", "onnx", ("numpy", "no_such_spam", "nor_eggs"), "", ())
    for extra, how in (
        ("", "save the model and convert the file"),
        ("eggs", r"pip install 'sardonyx\[eggs\]'"),
    ):
        with pytest.raises(ConvertError, match=f"converting Spam needs no_such_spam, nor_eggs; {how}"):
            exports.of_object(dataclasses.replace(row, extra=extra), object(), Request(), tmp_path)


def test_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    known = project["project"]["optional-dependencies"]
    named = {row.extra for row in FRAMEWORKS.values() if row.extra}
    assert named == {name for name in known if name.startswith("convert-")}


def test_errors_of_a_framework_are_told_with_their_place(tmp_path: Path) -> None:
    class Broken:
        def __getattr__(self, name: str) -> None:
            raise KeyError(name)

    with pytest.raises(ConvertError, match=r"ONNX could not convert this Broken: \w+ in \w+\.py:\d+: "):
        exports.of_object(ROW, Broken(), Request(), tmp_path)


def test_a_file_is_exported_in_a_process_of_its_own(source: str, tmp_path: Path) -> None:
    sample = {"x": np.ones((3, 2), np.float32)}
    folder = tmp_path / "job"
    folder.mkdir()
    made = exports.of_file(ROW, source, Request(sample), folder, isolated=True, quiet=True)
    assert made.path.parent == folder and not made.drawn
    assert made.versions["onnx"] == onnx.__version__
    assert made.cases[0].answers[0].tolist() == [[2, 2]] * 3
    Path(source).write_text("no model")
    with pytest.raises(ConvertError, match="is not a whole ONNX model"):
        exports.of_file(ROW, source, Request(sample), folder, isolated=False, quiet=True)


def test_what_a_worker_stores_is_read_back(tmp_path: Path) -> None:
    made = Exported(
        tmp_path / "exported.onnx",
        [
            Case(
                {"x": np.ones(2), "t": np.array(["a", "bc"], object)},
                [np.zeros((2, 1)), np.array(["n"], object)],
            )
        ],
        drawn=True,
        outputs=("label",),
        labels=("a", "b"),
        columns=("t",),
        points=3,
        batch=False,
        axes={"x": {0: "batch"}},
        versions={"onnx": "1"},
        notes=("said",),
    )
    (tmp_path / "result.json").write_text(worker.json.dumps(worker._stored(made, tmp_path)))
    found = exports._read_result(ROW, "m", tmp_path, 0, "")
    assert found.cases[0].feeds["t"].tolist() == ["a", "bc"]
    assert [answer.tolist() for answer in found.cases[0].answers] == [[[0], [0]], ["n"]]
    for field in (
        "path",
        "drawn",
        "outputs",
        "labels",
        "columns",
        "points",
        "batch",
        "axes",
        "versions",
        "notes",
    ):
        assert getattr(found, field) == getattr(made, field), field


def test_no_result_is_told_with_the_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"ONNX ended with signal 9 while it converted m:\n    a\n    b"):
        exports._read_result(ROW, "m", tmp_path, -9, "a\nb")
    with pytest.raises(ConvertError, match="ended with code 3"):
        exports._read_result(ROW, "m", tmp_path, 3, "")
    (tmp_path / "result.json").write_text('{"error": "in its words"}')
    with pytest.raises(ConvertError, match="^in its words$"):
        exports._read_result(ROW, "m", tmp_path, 0, "")


def test_a_framework_may_say_why_its_process_ended(tmp_path: Path) -> None:
    log = "Due to the unsupported operators, the conversion is aborted."
    with pytest.raises(ConvertError, match="an operator that has no ONNX form; replace it by others"):
        exports._read_result(framework("paddle"), "m", tmp_path, -6, log)


def test_a_job_says_where_the_source_lies(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    request = Request(None, ("batch",), 17, True, {"part": "decoder"})
    exports._write_job(ROW, "m.onnx", request, tmp_path)
    job = worker.json.loads((tmp_path / "job.json").read_text())
    assert job == {
        "kind": "onnx",
        "source": source,
        "request": {"dynamic": ["batch"], "opset": 17, "double": True, "options": {"part": "decoder"}},
    }
    exports._write_job(ROW, "package.module:function", Request({"": np.ones(1)}), tmp_path)
    job = worker.json.loads((tmp_path / "job.json").read_text())
    assert (job["source"], job["sample"]) == ("package.module:function", [""])


def test_an_environment_sees_its_own_packages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    here, there = exports._environment(here=True), exports._environment(here=False)
    assert (here["PYTHONPATH"], "PYTHONPATH" in there) == ("/ours", False)
    assert there["CUDA_VISIBLE_DEVICES"] == "1" and there["TF_CPP_MIN_LOG_LEVEL"] == "3"
    assert os.environ["PYTHONPATH"] == "/ours"
