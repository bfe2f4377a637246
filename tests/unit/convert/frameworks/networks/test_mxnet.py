"""MXNet's pairs of files, the inputs that they do not tell, and an exporter that is kept in its time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import mxnet
from tests.unit.convert.frameworks.standins import Calls, install

PAIR = np.ones((2, 3), np.float32)


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text(name)
    return folder


class Array:
    """mxnet.nd.NDArray."""

    def __init__(self, content: Any, dtype: Any = None) -> None:
        self.content = np.asarray(content, dtype)

    def asnumpy(self) -> np.ndarray:
        return self.content


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Calls:
    refusal = type("MXNetError", (Exception,), {})

    def symbol(source: str) -> Any:
        if Path(source).name == "broken-symbol.json":
            raise refusal("bad json\nmore")
        return SimpleNamespace(list_inputs=lambda: ["data", "conv_weight", "softmax_label"])

    calls = Calls(lambda symbol, parameters, onnx_file_path, **_: onnx_file_path)
    install(
        monkeypatch,
        "mxnet",
        MXNetError=refusal,
        sym=SimpleNamespace(load=symbol),
        nd=SimpleNamespace(load=lambda source: {"arg:conv_weight": 1}, array=Array),
        gluon=SimpleNamespace(
            SymbolBlock=SimpleNamespace(imports=lambda *names: lambda part: [part, Array(-part.content)])
        ),
    )
    install(monkeypatch, "mxnet.onnx", export_model=calls)
    return calls


def test_a_network_is_two_files(tmp_path: Path) -> None:
    files(tmp_path, "a-symbol.json", "a-0001.params", "a-0010.params", "b-symbol.json", "c.txt")
    assert [path.name for path in mxnet._files(tmp_path)] == ["a-symbol.json", "a-0010.params"]
    assert mxnet._files(tmp_path / "a-symbol.json")[1].name == "a-0010.params"
    with pytest.raises(
        ConvertError, match=r"b-symbol\.json has no NAME-symbol\.json with its NAME-0000\.params"
    ):
        mxnet._files(tmp_path / "b-symbol.json")
    files(tmp_path, "b-symbol.json", "b-c-0003.params", "b-0001.params")
    assert mxnet._files(tmp_path / "b-symbol.json")[1].name == "b-0001.params", "b-c is another network"
    with pytest.raises(ConvertError, match=r"holds 2 networks, a-symbol\.json, b-symbol\.json"):
        mxnet._files(tmp_path)


def test_an_operator_without_onnx_form_is_named_with_its_node(exporter: Calls, tmp_path: Path) -> None:
    symbol = tmp_path / "a-symbol.json"
    symbol.write_text('{"nodes": [{"op": "null", "name": "data"}, {"op": "gamma", "name": "net0_gamma0"}]}')
    for operator, place in (("gamma", r" \(node net0_gamma0 of a-symbol\.json\)"), ("sinh", "")):
        exporter.errors.append(
            AttributeError(f"No conversion function registered for op type {operator} yet.")
        )
        with pytest.raises(ConvertError, match=f"MXNet's operator {operator}{place} has no ONNX form; rep"):
            mxnet.export((symbol, tmp_path, ["data"]), Request({"data": PAIR}), tmp_path / "m.onnx")


def test_inputs_are_what_is_no_weight(exporter: Calls, tmp_path: Path) -> None:
    files(tmp_path, "a-symbol.json", "a-0000.params", "broken-symbol.json", "broken-0000.params")
    symbol, _, names = mxnet.load(str(tmp_path / "a-symbol.json"), Request())
    assert (symbol.name, names) == ("a-symbol.json", ["data", "softmax_label"])
    with pytest.raises(ConvertError, match="cannot be read by MXNet: bad json$"):
        mxnet.load(str(tmp_path / "broken-symbol.json"), Request())


def test_it_is_exported_at_the_opset_of_its_time(exporter: Calls, tmp_path: Path) -> None:
    sample = {"data": np.ones((2, 3), np.float32)}
    known = (onnx.defs.onnx_opset_version, onnx.checker.check_graph)
    made = mxnet.export((tmp_path, tmp_path, ["data", "softmax_label"]), Request(sample), tmp_path / "m.onnx")
    assert exporter[0]["dynamic_input_shapes"] == [(None, 3)] and exporter[0]["in_types"] == [np.float32]
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == 13
    assert (onnx.defs.onnx_opset_version, onnx.checker.check_graph) == known
    assert [part.tolist() for part in made.cases[1].answers] == [[[1] * 3], [[-1] * 3]]
    assert made.axes == {"data": {0: "batch"}} and not made.drawn and not made.batch
    assert made.sources == (str(tmp_path), str(tmp_path))
    exporter.errors.append(ValueError("no\n such"))
    with pytest.raises(ConvertError, match=r"MXNet cannot export it \(ValueError: no such\)"):
        mxnet.export((tmp_path, tmp_path, ["data"]), Request(sample), tmp_path / "m.onnx")
    assert onnx.defs.onnx_opset_version == known[0]


def test_shapes_are_stated_or_asked_for() -> None:
    feeds, drawn = mxnet._feeds(["data", "softmax_label"], Request(options={"inputs": ["1,3"]}))
    assert drawn and {name: part.shape for name, part in feeds.items()} == {"data": (2, 3)}
    fixed, _ = mxnet._feeds(["data"], Request(dynamic=("_",), options={"inputs": ["1,3"]}))
    assert fixed["data"].shape == (1, 3)
    with pytest.raises(
        ConvertError, match=r"shapes of its inputs \(data\) are not known; .*'inputs': \['data="
    ):
        mxnet._feeds(["data", "softmax_label"], Request())
