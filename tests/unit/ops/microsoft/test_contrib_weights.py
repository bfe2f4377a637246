"""Weights of few bits of com.microsoft beside onnxruntime."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.errors import ShapeError
from tests.unit.ops.peer import Array, assert_agree, both, ours

RNG = np.random.default_rng(0)


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def codes(*shape: int) -> Array:
    return RNG.integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize("zeros", ["none", "packed"])
def test_weights_of_few_bits(width: int, zeros: str) -> None:
    n, k, block = 6, 40, 16
    blocks = -(-k // block)
    feeds = {
        "a": real(2, 5, k),
        "b": codes(n, blocks, block * width // 8),
        "s": np.abs(real(n * blocks)),
    }
    if zeros == "packed":
        feeds["z"] = codes(n * ((blocks * width + 7) // 8))
    attributes = {"K": k, "N": n, "bits": width, "block_size": block}
    assert_agree(*both("MatMulNBits", "com.microsoft", feeds, attributes, constants=("b", "s", "z")))


@pytest.mark.parametrize("zeros", [False, True])
def test_rows_of_few_bits(zeros: bool) -> None:
    feeds = {"d": codes(12, 20), "i": RNG.integers(0, 12, (2, 3)), "s": np.abs(real(12, 3))}
    if zeros:
        feeds["z"] = codes(12, 2)
    attributes = {"bits": 4, "block_size": 16, "quantize_axis": 1, "gather_axis": 0}
    assert_agree(*both("GatherBlockQuantized", "com.microsoft", feeds, attributes, constants=("d", "s", "z")))


@pytest.mark.parametrize(("k", "named"), [(64, 64), (56, 56), (56, 64)])
def test_columns_whose_blocks_are_named(k: int, named: int) -> None:
    n, block = 6, 16
    packed = codes(n, 2)
    plain = np.stack([packed & 15, packed >> 4], 2).reshape(n, 4).astype(np.float32)
    shared: dict[str, Array | None] = {"a": real(2, 5, k), "b": codes(n, 4, 8), "s": real(n, 4)}
    rest = {"g": RNG.integers(0, 4, named).astype(np.int32), "c": real(n)}

    def run(zeros: Array | None) -> tuple[list[Any], list[Any]]:
        attributes = {"K": k, "N": n, "block_size": block}
        feeds = {**shared, "z": zeros, **rest}
        return both("MatMulNBits", "com.microsoft", feeds, attributes, constants=("b", "s", "z", "g", "c"))

    assert_agree(*run(None))
    assert_agree(*run(plain))
    # onnxruntime reads packed zero points of named blocks from wrong places.
    assert_agree(run(packed)[0], run(plain)[1])


def test_as_many_blocks_are_named_as_there_are_columns() -> None:
    feeds = {"a": real(1, 56), "b": codes(6, 4, 8), "s": real(6, 4), "z": None}
    feeds["g"] = np.zeros(60, np.int32)
    with pytest.raises(ShapeError, match="g_idx"):
        ours("MatMulNBits", "com.microsoft", feeds, {"K": 56, "N": 6, "block_size": 16})


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("depth", [32, 40])
def test_weights_of_other_bits_than_are_told_are_refused(bits: int, depth: int) -> None:
    blocks = -(-depth // 16)
    for other in (2, 4, 8):
        feeds = {"a": real(2, depth), "b": codes(4, blocks, 2 * other), "s": real(4, blocks)}
        attributes = {"K": depth, "N": 4, "block_size": 16, "bits": bits}
        if other == bits:
            assert ours("MatMulNBits", "com.microsoft", feeds, attributes, constants=("b", "s"))
        else:
            with pytest.raises(ShapeError, match="cannot reshape"):
                ours("MatMulNBits", "com.microsoft", feeds, attributes, constants=("b", "s"))


def test_weights_of_no_bytes_are_zeros() -> None:
    feeds = {"a": real(2, 5, 32), "b": codes(0, 1, 16), "s": real(0), "z": None, "g": None, "c": real(6)}
    attributes = {"K": 32, "N": 6, "block_size": 32}
    assert_agree(*both("MatMulNBits", "com.microsoft", feeds, attributes, constants=("b", "s")))


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize(("n", "k"), [(5, 24), (16, 32), (3, 7)])
def test_codes_of_bitsandbytes(kind: int, n: int, k: int) -> None:
    blocks = -(-n * k // 16)
    feeds = {"a": real(2, 3, k), "b": codes((n * k + 1) // 2), "s": np.abs(real(blocks))}
    attributes = {"K": k, "N": n, "block_size": 16, "quant_type": kind}
    assert_agree(*both("MatMulBnb4", "com.microsoft", feeds, attributes, constants=("b", "s")))


INDICES = np.array([[0, 11, -1], [-12, 5, 5]])
TABLES: tuple[tuple[Any, bool, dict[str, int]], ...] = (
    (np.uint8, False, {"bits": 8, "quantize_axis": 2}),
    (np.uint8, True, {"bits": 8, "quantize_axis": 2}),
    (np.uint8, True, {"bits": 2, "quantize_axis": -1}),
    (ml_dtypes.int4, True, {"gather_axis": 0, "quantize_axis": 2}),
    (ml_dtypes.uint4, False, {"gather_axis": 1, "quantize_axis": 0}),
    (ml_dtypes.int4, True, {"gather_axis": 2, "quantize_axis": 1}),
    (ml_dtypes.uint4, True, {"gather_axis": 1, "quantize_axis": 1}),
    (ml_dtypes.float8_e4m3fn, False, {"gather_axis": 0, "quantize_axis": 2}),
)


@pytest.mark.parametrize(("dtype", "zeros", "attributes"), TABLES)
def test_tables(dtype: Any, zeros: bool, attributes: dict[str, int]) -> None:
    shape, block = (12, 20, 40), 16
    packed = dtype is np.uint8
    axis = attributes.get("quantize_axis", 1) % 3
    blocks = [-(-n // block) if a == axis else n for a, n in enumerate(shape)]
    whole = codes(*shape) if packed else RNG.integers(-8 if dtype is ml_dtypes.int4 else 0, 8, shape)
    table, zero = whole.astype(dtype), whole[tuple(slice(n) for n in blocks)].astype(dtype)
    if attributes.get("bits") == 2:
        table, zero = codes(12, 20, 10), codes(12, 20, 1)
    feeds = {"d": table, "i": INDICES, "s": np.abs(real(*blocks))}
    if zeros:
        feeds["z"] = zero
    attributes = {"block_size": block, **attributes}
    constants = ("d", "s", "z")
    assert_agree(*both("GatherBlockQuantized", "com.microsoft", feeds, attributes, constants=constants))


def test_indices_out_of_range_give_zeros() -> None:
    feeds = {"d": codes(12, 20), "i": np.array([3, 12, -13, 2]), "s": real(12, 2)}
    attributes = {"bits": 8, "block_size": 16}
    ours, theirs = both("GatherBlockQuantized", "com.microsoft", feeds, attributes, constants=("d", "s"))
    assert_agree(ours, theirs)
    assert not ours[0][1:3].any()


@pytest.mark.parametrize("shape", [(), (2,)])
def test_a_table_of_one_row(shape: tuple[int, ...]) -> None:
    feeds = {"d": codes(1, 20), "i": np.zeros(shape, np.int64), "s": real(1, 3)}
    attributes = {"bits": 4, "block_size": 16}
    assert_agree(*both("GatherBlockQuantized", "com.microsoft", feeds, attributes, constants=("d", "s")))


@pytest.mark.parametrize("op", ["MatMulNBits", "MatMulBnb4"])
def test_weights_that_are_no_bytes_are_refused(op: str) -> None:
    feeds = {"a": real(2, 16), "b": real(4, 1, 8), "s": real(4)}
    attributes = {"K": 16, "N": 4, "block_size": 16, **({"quant_type": 0} if op == "MatMulBnb4" else {})}
    with pytest.raises(ShapeError, match="B must be uint8, not float"):
        ours(op, "com.microsoft", feeds, attributes, constants=("b", "s"))
