"""A worker always leaves a result: what the framework made, or a sentence on why not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnx
import pytest

from sardonyx.convert import worker
from sardonyx.convert.exports import _write_job
from sardonyx.convert.framework import Request
from sardonyx.convert.frameworks import framework

TEXT = '<ir_version: 8, opset_import: ["" : 17]> g (float[N, 2] x) => (float[N, 2] y) { y = Add(x, x) }'
MODULE = f'''
import onnx

def model():
    return onnx.parser.parse_model("""{TEXT}""")

def broken():
    raise ValueError("the first line\\nthe second")

def nothing_at_all():
    pass

unknown = object()
'''


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Does a job as a process would, and gives its result."""

    def end(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", end)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_of_a_worker.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "module_of_a_worker", raising=False)

    def do(source: str, request: Request | None = None, kind: str = "onnx") -> dict[str, Any]:
        _write_job(framework(kind), source, request or Request(), tmp_path)
        with pytest.raises(SystemExit) as ended:
            worker.main(str(tmp_path))
        assert ended.value.code == 0 and not (tmp_path / "result.part").exists()
        result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
        return result

    return do


def test_a_model_and_its_answers(job: Any, tmp_path: Path) -> None:
    result = job("module_of_a_worker:model", Request({"x": np.ones((3, 2), np.float32)}))
    assert (result["cases"], result["drawn"], result["versions"]) == (2, False, {"onnx": onnx.__version__})
    assert result["sources"] == [str(tmp_path / "module_of_a_worker.py")]
    assert result["path"] == str(tmp_path / "exported.onnx") and (tmp_path / "exported.onnx").is_file()
    assert {f"{kind}-{at}.npz" for kind in ("feeds", "answers") for at in (0, 1)} <= {
        file.name for file in tmp_path.iterdir()
    }


def test_a_refusal_is_passed_on(job: Any) -> None:
    assert job("module_of_a_worker:nothing")["error"].endswith("has no attribute 'nothing'")


def test_a_function_that_returns_nothing_is_told(job: Any) -> None:
    assert (
        "nothing_at_all returned nothing; let it return the model"
        in job("module_of_a_worker:nothing_at_all")["error"]
    )


def test_an_error_is_told_with_its_place(job: Any, capsys: pytest.CaptureFixture[str]) -> None:
    said = job("module_of_a_worker:broken")["error"]
    assert said.startswith(
        "ONNX could not convert module_of_a_worker:broken: ValueError in module_of_a_worker.py:8: "
    )
    assert said.endswith("the first line\n    the second")
    assert "Traceback" in capsys.readouterr().err


def test_an_object_of_no_framework_keeps_the_row(job: Any) -> None:
    said = job("module_of_a_worker:unknown")["error"]
    assert said.startswith("ONNX could not convert")


@pytest.mark.parametrize(("kind", "found"), [("xgboost", "sklearn"), ("torch", "torch")])
def test_a_function_may_return_another_framework_s_model(
    kind: str, found: str, job: Any, tmp_path: Path
) -> None:
    (tmp_path / "module_of_a_worker.py").write_text(
        "class Ridge:\n    pass\n\nRidge.__module__ = 'sklearn.linear_model'\n\n"
        "def model():\n    return Ridge()\n"
    )
    row, model = worker._opened(framework(kind), "module_of_a_worker:model", Request())
    assert (row.kind, type(model).__name__) == (found, "Ridge")
