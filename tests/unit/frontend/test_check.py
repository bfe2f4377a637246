"""ONNX's own checker speaks through one kind of error."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from sardonyx.errors import LoadError
from sardonyx.frontend.check import check_file

GOOD = '<ir_version: 10, opset_import: ["" : 21]> g (float[N] x) => (float[N] y) { y = Exp(x) }'


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = onnx.parser.parse_model(GOOD)
    onnx.save(model, path)
    check_file(path)
    model.graph.node[0].op_type = "Nonsense"
    onnx.save(model, path)
    with pytest.raises(LoadError, match="Nonsense") as error:
        check_file(path)
    assert error.value.kind == "graph"
    path.write_bytes(b"\xff\xff")
    with pytest.raises(LoadError):
        check_file(path)
