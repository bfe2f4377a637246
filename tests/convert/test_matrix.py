"""docs/convert.md is what the last runs came to, and every kind of source has a row there."""

from __future__ import annotations

import json

from sardonyx.convert.frameworks import FRAMEWORKS
from tests.convert.matrix import PAGE, RESULTS, ROWS, page


def test_the_page_is_generated_from_the_results() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == page(results)
    assert list(results) == [row.name for row in ROWS], "run `make matrix`"
    assert all(told["error"] < 1e-5 for told in results.values())


def test_every_framework_is_tried() -> None:
    assert {row.kind for row in ROWS} == set(FRAMEWORKS) - {"onnx"}
