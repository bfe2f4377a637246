"""N-grams that are counted by look-ups are those that the host counts, wherever their tokens lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

import sardonyx
from sardonyx.base import dtype as dt
from sardonyx.ir.algorithms.grams import Pool, grams
from sardonyx.ir.value import placeholder
from sardonyx.ops.onnx.grams import counts

Array = np.ndarray[Any, Any]
LETTERS = np.array(list("abcdx"), object)
GRAMS = [(0,), (1,), (3,), (0, 1), (1, 1), (2, 0), (0, 1, 0), (2, 2, 2), (1, 0, 2)]
COUNTS = (0, 3, 9)
INDEXES = (4, 0, 1, 3, 3, 9, 7, 6, 2)
WEIGHTS = tuple(float(n) for n in range(2, 11))


def checked(x: Array, axes: tuple[int | str, ...], *, skips: int, mode: str, lengths: tuple[int, int]) -> int:
    """Compare with the host; the number of steps that the session leaves to it."""
    texts = x.dtype == object
    tokens = [number for gram in GRAMS for number in gram]
    pool = [str(LETTERS[n]) for n in tokens] if texts else tokens
    kind = TensorProto.STRING if texts else helper.np_dtype_to_tensor_dtype(x.dtype)
    weights = WEIGHTS if mode != "TF" else ()
    node = helper.make_node(
        *("TfIdfVectorizer", ["x"], ["y"]),
        **{"pool_strings" if texts else "pool_int64s": pool},
        **({"weights": weights} if weights else {}),
        mode=mode,
        min_gram_length=lengths[0],
        max_gram_length=lengths[1],
        max_skip_count=skips,
        ngram_counts=COUNTS,
        ngram_indexes=INDEXES,
    )
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", kind, axes)], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = sardonyx.InferenceSession(model.SerializeToString())
    (got,) = session.run(None, {"x": x})
    expected = grams(
        x,
        pool=tuple(pool),
        counts=COUNTS,
        indexes=INDEXES,
        weights=weights,
        mode=mode,
        lengths=lengths,
        skips=skips,
    )
    assert (got.shape, got.dtype) == (expected.shape, np.float32)
    np.testing.assert_array_equal(got, expected)
    return sum(note.op == "text_grams" for note in session.report.fallbacks)


@pytest.mark.parametrize("kind", [object, np.int64, np.int32])
@pytest.mark.parametrize("lengths", [(1, 1), (1, 3), (2, 3), (3, 3)])
@pytest.mark.parametrize("skips", [0, 2])
def test_counts(kind: Any, lengths: tuple[int, int], skips: int) -> None:
    numbers = np.random.default_rng(skips).integers(0, 5, (4, 30))
    x = LETTERS[numbers] if kind is object else numbers.astype(kind)
    assert checked(x, ("N", "C"), skips=skips, mode="TF", lengths=lengths) == 0


@pytest.mark.parametrize("mode", ["IDF", "TFIDF"])
def test_weights(mode: str) -> None:
    x = np.random.default_rng(3).integers(0, 5, (3, 9))
    assert checked(x, ("N", 9), skips=1, mode=mode, lengths=(1, 3)) == 0


@pytest.mark.parametrize("shape", [(1,), (7,), (1, 1), (2, 2), (3, 0), (0, 4), (2, 3)])
@pytest.mark.parametrize("named", [False, True])
def test_rows_shorter_than_ngrams(shape: tuple[int, ...], named: bool) -> None:
    x = np.random.default_rng(1).integers(0, 3, shape)
    axes = ("N", "C")[-len(shape) :] if named else shape
    assert checked(x, axes, skips=3, mode="TF", lengths=(1, 3)) == 0


def test_the_host_counts_where_tokens_may_lie_far_apart() -> None:
    x = np.random.default_rng(2).integers(0, 3, (2, 20))
    assert checked(x, ("N", "C"), skips=1 << 40, mode="TF", lengths=(1, 3)) == 1
    assert checked(x[:, :4], (2, 4), skips=1 << 40, mode="TF", lengths=(1, 3)) == 0


def test_lengths_that_no_n_gram_has_are_not_looked_up() -> None:
    tree = Pool.of((5, 6), (0,), (0, 2))
    x = placeholder("x", dt.I64, (2, 9))
    assert counts(x, tree, 3, (1, 4), 2).args[0].prim == "scatter_elements"
    none = counts(x, tree, 3, (2, 4), 2)
    assert none.data is not None, "nothing depends on x"
    assert none.data.tolist() == [[0] * 3] * 2
