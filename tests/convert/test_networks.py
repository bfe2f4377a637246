"""Every framework in its own environment: what it says is what the converted model says."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.convert import ConvertError, convert
from tests.convert.matrix import NETWORKS, ROWS, Row, converted, made

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_says_what_its_framework_says(row: Row, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(NETWORKS)
    model = converted(row, folder)
    assert model.framework.kind == row.kind
    assert model.parity.holds and len(model.parity.outputs) == len(model.model.graph.output)
    assert any("fixed" in note for note in model.notes) == row.fixed


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("torch_modules:branching", "decides by the content of a tensor, in forward .*x.sum"),
        ("torch_modules:strange", "bessel_j0 has no ONNX form, in forward .*bessel_j0"),
        ("torch_modules:nothing", "has no attribute 'nothing'"),
        ("no_such_module:net", "no module 'no_such_module'"),
        ("torch_modules:words", r"ids, mask.*not known; give sample="),
    ],
)
def test_what_torch_cannot_export_is_named(source: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(NETWORKS)
    with pytest.raises(ConvertError, match=said):
        convert(source, isolated=True)


def test_weights_alone_are_refused(folder: Path) -> None:
    with pytest.raises(ConvertError, match="weights without the network"):
        convert(made("torch_modules", "torch", folder) / "weights.pt", isolated=True)
