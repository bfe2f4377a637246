"""Packed weights, packed runs and block-sparse attention: what is refused, and laws that no judge checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx.errors import RunError, ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, const
from sardonyx.ops.microsoft.attn_lstm import attn_lstm
from sardonyx.ops.microsoft.grouped import grouped
from sardonyx.ops.microsoft.packed import gather_packed, matmul_fpq4
from sardonyx.ops.microsoft.sparse_attention import sparse_attention
from sardonyx.ops.microsoft.varlen import varlen_causal_conv_with_state, varlen_ngram_hash_mapping
from sardonyx.ops.onnx.rnn import Cell
from tests.unit.ops.formulas import built

Array = np.ndarray[Any, Any]
BOTH_WAYS = Cell(direction="bidirectional")
RNG = np.random.default_rng(0)


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def numbers(*values: int) -> Value:
    return const(np.array(values, np.int32))


def sparse(q: Array, past: Array, length: Array, total: int) -> list[Array]:
    """Two heads of 8 over blocks of 16 keys; the second block sees itself alone."""
    rows, columns = const(np.array([[0, 1, 2]], np.int32)), const(np.array([[0, 1]], np.int32))
    args = (None, None, const(past), const(past), rows, columns, const(np.array([total], np.int32)))
    more = {"num_heads": 2, "kv_num_heads": 1, "sparse_block_size": 16}
    return built(lambda: sparse_attention(const(q), *args, const(length.astype(np.int32)), **more))


def test_each_sample_attends_to_its_own_length() -> None:
    q, past = real(2, 1, 4 * 8), real(2, 1, 32, 8)
    lengths = np.array([5, 23])
    together = sparse(q, past, lengths, 23)
    for sample, length in enumerate(lengths):
        alone = sparse(
            q[sample : sample + 1], past[sample : sample + 1], lengths[sample : sample + 1], length
        )
        for whole, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(whole[sample], one[0], rtol=1e-6)


def test_what_a_layout_does_not_name_is_not_seen() -> None:
    q, past = real(1, 1, 4 * 8), real(1, 1, 32, 8)
    before = sparse(q, past, np.array([20]), 20)[0]
    past[:, :, :16] = 1e3
    np.testing.assert_array_equal(sparse(q, past, np.array([20]), 20)[0], before)


def test_a_run_reads_nothing_of_its_neighbours() -> None:
    x, weight, state = real(5, 3), const(real(3, 1, 3)), real(2, 3, 2)
    ends = numbers(0, 2, 5)
    whole = built(lambda: varlen_causal_conv_with_state(const(x), weight, ends, None, const(state)))
    for run, (low, high) in enumerate(((0, 2), (2, 5))):
        part, own = const(x[low:high]), const(state[run : run + 1])
        bounds = numbers(0, high - low)
        alone = built(
            lambda part=part, own=own, bounds=bounds: varlen_causal_conv_with_state(
                part, weight, bounds, None, own
            )
        )
        np.testing.assert_allclose(whole[0][low:high], alone[0], rtol=1e-6)
        np.testing.assert_array_equal(whole[1][run], alone[1][0])


def test_a_run_without_tokens_keeps_its_state() -> None:
    x, weight, state = real(3, 2), const(real(2, 1, 3)), real(3, 2, 2)
    ends = numbers(0, 0, 3, 3)
    whole = built(lambda: varlen_causal_conv_with_state(const(x), weight, ends, None, const(state)))
    alone = built(
        lambda: varlen_causal_conv_with_state(const(x), weight, numbers(0, 3), None, const(state[1:2]))
    )
    np.testing.assert_array_equal(whole[0], alone[0])
    np.testing.assert_array_equal(whole[1], [state[0], alone[1][0], state[2]])


def test_ids_and_segments_before_a_run_without_tokens_are_the_next_ones_too() -> None:
    past, ids, segments = numbers(7, 8).reshape((2, 1)), numbers(1, 2, 3), numbers(0, 1, 1)
    sizes, before = numbers(97), numbers(4, 5).reshape((2, 1))

    def call(given: Value | None) -> tuple[Value, ...]:
        found = varlen_ngram_hash_mapping(
            *(ids, numbers(3, 5), sizes, numbers(0, 3, 3), past, None, None, segments, given), **GRAMS
        )
        return tuple(v for v in found[:3] if v is not None)

    _, next_ids, next_segments = built(lambda: call(before))
    assert next_ids.tolist() == [[3], [8]]
    assert next_segments.tolist() == [[1], [5]]
    assert len(built(lambda: call(None))) == 3, "segments that are not known are no fault"


@pytest.mark.parametrize("directions", [1, 3])
@pytest.mark.parametrize("name", ["V", "AW"])
def test_each_direction_has_attention_of_its_own(name: str, directions: int) -> None:
    hidden, depth, size = 3, 2, 5
    own = const(real(directions if name == "V" else 2, size))
    layer = const(real(directions if name == "AW" else 2, hidden + depth, 6))
    weights = [const(real(2, 4 * hidden, n)) for n in (4 + 6, hidden)]
    asks = [const(real(2, n, size)) for n in (hidden, depth)]
    x, memory = const(real(3, 2, 4)), const(real(2, 4, depth))
    with pytest.raises(ShapeError, match=f"the weights {name} has"):
        attn_lstm(x, *weights, None, None, None, None, None, *asks, own, memory, None, layer, cell=BOTH_WAYS)


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("lengths", [(0, 1, 4, 4), (1, 1, 4, 0)])
def test_nothing_is_read_in_a_memory_of_length_0(most: int, lengths: Sequence[int]) -> None:
    hidden, depth, size = 3, 2, 5
    weights = [const(real(1, 4 * hidden, n)) for n in (4 + depth, hidden)]
    asks = [const(real(1, *shape)) for shape in ((hidden, size), (depth, size), (size,))]
    x, memory = const(real(most, 2, 4)), const(real(2, 4, depth))

    def call(*lengths: int) -> tuple[Value, ...]:
        steps, known = numbers(*lengths[:2]), numbers(*lengths[2:])
        return attn_lstm(x, *weights, None, steps, None, None, None, *asks, memory, known)

    built(lambda: call(most, 1, 1, 4))
    with pytest.raises(RunError, match="out of range"):
        built(lambda: call(*lengths))


TABLE, AT = const(np.zeros((2, 18), np.uint8)), numbers(0)
A, SHAPE = const(real(1, 32)), const(np.array([32, 2]))
X, STATE, WEIGHT, ENDS = const(real(4, 3)), const(real(1, 3, 1)), const(real(3, 1, 2)), numbers(0, 4)
IDS, GRAMS = numbers(1, 2, 3, 4), {"max_ngram_size": 2, "n_head_per_ngram": 1, "pad_id": 0}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gather_packed(TABLE, AT, packed_type=16, K=256), UnsupportedOp, "packed_type=16"),
        (lambda: gather_packed(TABLE, AT, packed_type=2, K=40), ShapeError, "multiple of 32"),
        (lambda: gather_packed(TABLE, AT, packed_type=2, K=64), ShapeError, "the packed rows"),
        (lambda: matmul_fpq4(A, TABLE.reshape((36,)), SHAPE), ShapeError, "the packed weights"),
        (lambda: matmul_fpq4(A, TABLE.reshape((36,)), numbers(32)), ShapeError, "1 sizes"),
        (
            lambda: varlen_causal_conv_with_state(X, WEIGHT, ENDS, None, STATE, dilation=0),
            ShapeError,
            "dilation is 0",
        ),
        (
            lambda: varlen_causal_conv_with_state(X, WEIGHT, ENDS, None, STATE, state_update_capacity=9),
            ShapeError,
            "between 0 and 8",
        ),
        (
            lambda: varlen_causal_conv_with_state(X, WEIGHT, ENDS, None, STATE, state_update_capacity=1),
            ShapeError,
            "capture_count",
        ),
        (
            lambda: varlen_causal_conv_with_state(X, WEIGHT, ENDS, None, STATE, None, X, X),
            UnsupportedOp,
            "change by token",
        ),
        (
            lambda: varlen_ngram_hash_mapping(IDS, IDS, IDS, ENDS, **GRAMS),
            ShapeError,
            "vocab_sizes",
        ),
        (lambda: attn_lstm(X, X, X), ShapeError, "QW, MW and V"),
        (lambda: grouped(const(real(1, 2, 42)), None, None, 2, 1), ShapeError, "of 4 heads"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
