"""`strict` gives every row of a real model's batch the bits that it has alone, whatever the threads.

Its sums are direct ones: no kernel transforms or rounds what it multiplies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx import zoo
from tests.models.marks import is_quick, marks
from tests.models.session_report import indirect_sums
from tests.runnable import examples

THREADS = (1, 3, 2)[: examples(2, 3)]
BATCHES = (
    *(("mtcnn_rnet", {"batch": 7}), ("mtcnn_onet", {"batch": 5}), ("oww_embedding", {"batch": 16})),
    *(("ppocrv4_rec", {"width": 480, "batch": 3}), ("minilm_l6_int8w", {"batch": 4, "length": 64})),
)
ALIKE = {
    *("mtcnn_pnet", "mtcnn_rnet", "espcn_resize", "ppocrv2_cls"),
    *("light_squeezenet", "oww_hey_jarvis", "oww_hey_mycroft"),
}
"""Networks whose sums are of the kinds that another quick one has: `make test-all` runs them."""


@pytest.mark.parametrize(("name", "size"), BATCHES, ids=[name for name, _ in BATCHES])
def test_rows_have_bits_of_their_own(name: str, size: dict[str, int]) -> None:
    sessions = [strict(name, threads) for threads in THREADS]
    feeds = zoo.feeds(name, **size)
    whole, *others = [session.run(None, feeds) for session in sessions]
    for again in others:
        assert [bits(y) for y in again] == [bits(y) for y in whole]
    for row in (0, size["batch"] - 1):
        alone = sessions[0].run(None, {k: np.ascontiguousarray(v[row : row + 1]) for k, v in feeds.items()})
        assert [bits(y) for y in alone] == [bits(y[row : row + 1]) for y in whole]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            model.name, marks=marks(model.name, quick=is_quick(model.name) and model.name not in ALIKE)
        )
        for model in zoo.models(precision=("fp32",), quick=True)
    ],
)
def test_threads_change_no_bit_of_direct_sums(name: str) -> None:
    feeds = zoo.feeds(name)
    sessions = [strict(name, threads) for threads in THREADS]
    whole, *others = [[bits(y) for y in session.run(None, feeds)] for session in sessions]
    for again in others:
        assert again == whole
    assert not indirect_sums(sessions[0])


def test_indirect_sums_would_be_seen() -> None:
    session = sardonyx.InferenceSession(str(zoo.fetch_one("mtcnn_onet")))
    session.run(None, zoo.feeds("mtcnn_onet"))
    assert indirect_sums(session)


def strict(name: str, threads: int) -> Any:
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("sardonyx.precision", "strict")
    return sardonyx.InferenceSession(str(zoo.fetch_one(name)), options)


def bits(array: Any) -> bytes:
    return bytes(np.ascontiguousarray(array).tobytes())
