"""One 8-bit model judged by ONNX's evaluator, in a process of its own.

`python -m tests.models.judged_case NAME SIZE` prints how far the worst number is out of reach of its point,
the outputs that differ, and the most memory that the process took.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

import sardonyx
from sardonyx import zoo
from sardonyx.tools.bench_worker import peak_bytes
from tests.models.decisions import Run, judge
from tests.models.evaluator import evaluated
from tests.tolerance import difference_of_models


def engine(target: str) -> Run:
    """This engine, told to compile for a target; empty = what this machine is."""

    def run(model: bytes, feeds: Mapping[str, Any]) -> dict[str, Any]:
        options = sardonyx.SessionOptions()
        options.add_session_config_entry("sardonyx.target", target)
        return by_name(sardonyx.InferenceSession(model, options), feeds)

    return run


def by_name(session: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """All outputs of a session."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def main(name: str, number: int) -> None:
    """Judge one model with feeds of one of its sizes."""
    model, feeds = onnx.load(zoo.fetch_one(name)), zoo.feeds(name, **zoo.sizes(name)[number])
    found = judge(model, feeds, engine(""), evaluated)
    differences = {
        output: difference_of_models(actual, np.asarray(exact).astype(actual.dtype))
        for output, (actual, exact) in found.outputs.items()
    }
    said = {
        "excess": max(found.excesses.values()),
        "wrong": {output: text for output, text in differences.items() if text is not None},
        "peak_mb": peak_bytes() >> 20,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
