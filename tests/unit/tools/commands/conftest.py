"""What the commands need: a server that is no more than its answers, and a small model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from tests.unit.tools.commands.running import Server, serving

TEXT = """
<ir_version: 8, opset_import: ["" : 17], producer_name: "maker", metadata_props: ["author": "somebody"]>
net (float[N, 3] x, float[N] gain) => (float[N, 3] y) <float[3] w = {1, 2, 3}> {
    h = Mul(x, w)
    y = Relu(h)
    unused = Identity(gain)
}
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("SARDONYX_SERVER", "SARDONYX_KEY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as made:
        yield made


@pytest.fixture
def model(tmp_path: Path) -> str:
    file = tmp_path / "net.onnx"
    file.write_bytes(onnx.parser.parse_model(TEXT).SerializeToString())
    return str(file)
