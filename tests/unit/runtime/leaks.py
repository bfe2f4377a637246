"""Makes, runs and drops sessions, and measures what the process holds; a process of its own for test_leaks.

python -m tests.unit.runtime.leaks KIND COUNT     # prints one line of JSON
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import sardonyx

WARM = 30
HEAD = '<ir_version: 10, opset_import: ["" : 21]> g '
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (
        "(float[N, 8] x, float[8, 8] w) => (float[N, 8] y) { h = MatMul(x, w)  y = Softmax(h) }",
        {"x": np.ones((3, 8), np.float32), "w": np.ones((8, 8), np.float32)},
    ),
    "control": (
        "(float[2] x, int64 n) => (float[2] y) { y = Loop(n, , x) <body = b (int64 i, bool c, float[2] s) => "
        "(bool d, float[2] t) { t = Add(s, x)  d = Identity(c) }> }",
        {"x": np.ones(2, np.float32), "n": np.array(3)},
    ),
    "growing": (
        "(float[2] x, int64 n) => (float[M] y) { y = Loop(n, , x) <body = b (int64 i, bool c, float[K] s) => "
        "(bool d, float[L] t) { t = Concat<axis = 0>(s, x)  d = Identity(c) }> }",
        {"x": np.ones(2, np.float32), "n": np.array(3)},
    ),
    "variants": (
        "(float[2, 3] x, int64[1] a) => (float y) { y = ReduceSum<keepdims = 0>(x, a) }",
        {"x": np.ones((2, 3), np.float32), "a": np.array([1])},
    ),
    "host": (
        "(float[N] x) => (float[N] y) { t = Cast<to = 8>(x)  u = Cast<to = 1>(t)  y = Exp(u) }",
        {"x": np.ones(3, np.float32)},
    ),
    "profiled": ("(float[N] x) => (float[N] y) { y = Exp(x) }", {"x": np.ones(3, np.float32)}),
    "refused": ("(float[2] x, float[3] z) => (float y) { y = Add(x, z) }", {}),
    "failing": (
        "(float[N] x, int64[K] i) => (float y) { y = Gather(x, i) }",
        {"x": np.ones(3, np.float32), "i": np.array([7])},
    ),
}


def once(kind: str, number: int, folder: Path) -> None:
    """One session of a model that was not seen before, run and dropped; each third one is a known one."""
    text, feeds = KINDS[kind]
    model = onnx.parser.parse_model(HEAD + text)
    model.graph.doc_string = str(number if number % 3 else 0)
    options = sardonyx.SessionOptions()
    options.log_severity_level = 4
    if kind == "profiled":
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / "profile")
    try:
        session = sardonyx.InferenceSession(model.SerializeToString(), options)
        session.run(None, feeds)
        session.run(None, {name: value.copy() for name, value in feeds.items()})
        if kind == "profiled":
            Path(session.end_profiling()).unlink()
    except (
        sardonyx.capi.onnxruntime_pybind11_state.Fail,
        sardonyx.capi.onnxruntime_pybind11_state.InvalidArgument,
    ):
        assert kind in ("refused", "failing")


def held() -> dict[str, int]:
    """Bytes, threads, open files and mapped areas of this process."""
    gc.collect()
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "rss_kb": int(fields["VmRSS"].split()[0]),
        "threads": int(fields["Threads"]),
        "files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "maps": len(Path("/proc/self/maps").read_text().splitlines()),
    }


def main() -> None:
    """Print what is held after warming up, half way and at the end."""
    kind, count = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(WARM):
            once(kind, number, Path(folder))
        marks = [held()]
        for number in range(WARM, WARM + count):
            once(kind, number, Path(folder))
            if number == WARM + count // 2:
                marks.append(held())
        marks.append(held())
    print(json.dumps(marks))


if __name__ == "__main__":
    main()
