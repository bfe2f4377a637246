"""The same bits: of `strict` for any number of threads and place in a batch, of code in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runnable import runnable_targets
from tests.unit.runtime.programs import Array, model, program

FORMS: dict[str, tuple[str, tuple[int, ...], dict[str, tuple[int, ...]]]] = {
    "layers": (
        "g (float[N,100] x) => (float[?,?] y) { h = MatMul(x, w) r = Relu(h) y = MatMul(r, v) }",
        (100,),
        {"w": (100, 130), "v": (130, 7)},
    ),
    "long sums": ("g (float[N,4000] x) => (float[?,?] y) { y = MatMul(x, w) }", (4000,), {"w": (4000, 40)}),
    "one column": ("g (float[N,700] x) => (float[?,?] y) { y = MatMul(x, w) }", (700,), {"w": (700, 1)}),
    "attention": (
        """g (float[N,33,70] x) => (float[?,?,?] y) {
            t = Transpose<perm = [0, 2, 1]>(x) s = MatMul(x, t) p = Softmax(s) y = MatMul(p, x)
        }""",
        (33, 70),
        {},
    ),
    "convolutions": (
        """g (float[N,3,19,21] x) => (float[?,?] y) {
            h = Conv<pads = [1, 1, 1, 1]>(x, w) r = Relu(h) c = Conv(r, v) p = GlobalAveragePool(c)
            d = Conv(p, u) y = Flatten(d)
        }""",
        (3, 19, 21),
        {"w": (20, 3, 3, 3), "v": (33, 20, 3, 3), "u": (50, 33, 1, 1)},
    ),
    "moments": (
        "g (float[N,77] x) => (float[?,?] y) { n = LayerNormalization(x, w) y = Softmax(n) }",
        (77,),
        {"w": (77,)},
    ),
    "states": (
        """g (float[N,4,20] x) => (float[?,?,?,?] y) {
            s = Transpose<perm = [1, 0, 2]>(x) h = LSTM<hidden_size = 24>(s, w, r)
            y = Transpose<perm = [2, 0, 1, 3]>(h)
        }""",
        (4, 20),
        {"w": (1, 96, 20), "r": (1, 96, 24)},
    ),
}
BATCHES = (1, 2, 3, 4, 5, 15, 29, 57, 120)
THREADS = (1, 2, 3, 5)


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: str(t.name))
@pytest.mark.parametrize("form", FORMS)
def test_bits_depend_on_nothing_else(form: str, target: Any) -> None:
    text, shape, weights = FORMS[form]
    chance = np.random.default_rng(0)
    given = {name: chance.standard_normal(size).astype(np.float32) for name, size in weights.items()}
    data = model(text, **given)
    programs = [program(data, precision="strict", threads=t, target=target.name) for t in THREADS]
    rows = chance.standard_normal((max(BATCHES), *shape)).astype(np.float32)
    whole = outputs(programs[0], rows)
    for size in BATCHES:
        for made in programs:
            assert_same_bits(outputs(made, rows[:size]), whole[:size])
        last = np.ascontiguousarray(rows[-size:])
        assert_same_bits(outputs(programs[0], last), whole[-size:])


def outputs(made: Any, rows: Array) -> Array:
    (found,) = made.run((rows,), (0,))
    return np.asarray(found)


def assert_same_bits(a: Array, b: Array) -> None:
    assert a.tobytes() == np.ascontiguousarray(b).tobytes()


COMPILE = "import sys, sardonyx\nfor path in sys.argv[1:]: sardonyx.InferenceSession(path)"
MADE = ("object", "image", "module", "weights")
"""What the cache keeps by the digest of what it was made of; plans tell how long that took, too."""


@pytest.mark.slow
@pytest.mark.parametrize("effort", ["quick", "full"])
def test_code_and_packed_weights_have_the_same_bytes_in_every_process(tmp_path: Path, effort: str) -> None:
    """Whatever order sets have and however many threads compile."""
    paths = []
    for name, (text, _, weights) in FORMS.items():
        chance = np.random.default_rng(0)
        given = {key: chance.standard_normal(size).astype(np.float32) for key, size in weights.items()}
        paths.append(tmp_path / f"{name}.onnx")
        paths[-1].write_bytes(model(text, **given))
    found = []
    for seed in ("1", "2"):
        own = {"PYTHONHASHSEED": seed, "SARDONYX_JOBS": seed, "SARDONYX_EFFORT": effort}
        cache = tmp_path / f"cache{seed}"
        environment = {**os.environ, **own, "SARDONYX_CACHE": str(cache)}
        subprocess.run([sys.executable, "-c", COMPILE, *map(str, paths)], env=environment, check=True)
        files = (path for kind in MADE for path in (cache / kind).rglob("*") if path.is_file())
        found.append({str(path.relative_to(cache)): path.read_bytes() for path in files})
    assert found[0].keys() == found[1].keys() and len(found[0]) > len(FORMS)
    assert [name for name, content in found[0].items() if found[1][name] != content] == []
