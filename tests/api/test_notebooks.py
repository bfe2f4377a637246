"""The notebooks of examples/notebooks run to their end, each in less than five minutes."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples" / "notebooks").glob("*.ipynb"))
SECONDS = 300
HEAVY = {"pytorch": ("torch", "onnxscript")}
SAID = {
    "deployment": "the canary is done",
    "detection": "Region-based segmentation",
    "digits": "right over the network, as before",
    "pictures": "none of these",
    "pytorch": "right over the network, as PyTorch says",
    "tables": "alert, 600 rows",
}


def test_each_has_a_claim() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SAID)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_notebook(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    missing = [name for name in HEAVY.get(path.stem, ()) if find_spec(name) is None]
    if missing:
        pytest.skip(f"{path.name} needs {' and '.join(missing)}")
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    nbclient.NotebookClient(
        notebook, timeout=SECONDS, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert SAID[path.stem] in "".join(texts(notebook))
    assert time.monotonic() - began < SECONDS


def texts(notebook: Any) -> list[str]:
    return [
        str(output.get("text", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if cell.cell_type == "code"
    ]
