"""Code in the README and the guides runs, and prints what stands below it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.unit.stocked import stocked
from tests.warm import Warm, warm

ROOT = Path(__file__).parents[2]
OPENING = "```python\n"
PAGES = [
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", *sorted((ROOT / "docs/guides").glob("*.md")))
    if OPENING in path.read_text(encoding="utf-8")
]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.M | re.S)
MODEL = """<ir_version: 10, opset_import: ["" : 20]>
agraph (float[batch, 8] x) => (float[batch, 4] y) <float[8, 4] w = {WEIGHTS}> {
    p = MatMul(x, w)  y = Softmax(p)
}"""
NEXT = "---- next block ----"
KEPT = ("SARDONYX_TARGET", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
VARIABLES = {name: os.environ[name] for name in KEPT if name in os.environ}
VARIABLES |= {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}


@pytest.fixture(scope="module")
def python() -> Iterator[Warm]:
    with warm(VARIABLES) as python:
        yield python


@pytest.mark.parametrize("page", PAGES)
def test_code_prints_what_the_page_shows(page: str, tmp_path: Path, python: Warm) -> None:
    """Each page in a process and a folder of its own, in which `model.onnx` is as the pages assume."""
    stocked(tmp_path / ".cache" / "sardonyx")
    weights = ", ".join(f"{value:.3f}" for value in np.random.default_rng(1).normal(size=32))
    onnx.save(onnx.parser.parse_model(MODEL.replace("WEIGHTS", weights)), tmp_path / "model.onnx")
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count(OPENING), f"a block of {page} does not end or is indented"
    program = tmp_path / "page.py"
    program.write_text(f"\nprint({NEXT!r})\n".join(code for code, _ in blocks), encoding="utf-8")
    printed = python.run(program, tmp_path, {**VARIABLES, "HOME": str(tmp_path)})
    assert printed.split(f"{NEXT}\n") == [shown for _, shown in blocks]
