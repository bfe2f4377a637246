"""Numbers of JSON become tensors exactly or not at all."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.protocol.datatypes import DATATYPES, objects
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.literals import array_of, data_of
from sardonyx.protocol.messages import Tensor


def read(name: str, data: Any, shape: tuple[int, ...] | None = None, words: bool = True) -> Any:
    return array_of("x", DATATYPES[name], shape or (len(data),), data, words=words)


@given(
    st.sampled_from(["INT8", "UINT16", "INT64", "UINT64"]),
    st.lists(st.integers(-(2**64), 2**65), min_size=1, max_size=4),
)
def test_whole_numbers_fit_or_are_refused(name: str, data: list[int]) -> None:
    limits = np.iinfo(DATATYPES[name].numpy)
    fits = all(limits.min <= n <= limits.max for n in data)
    for words in (True, False):
        if fits:
            assert read(name, data, words=words).tolist() == data
        else:
            with pytest.raises(ServeError):
                read(name, data, words=words)


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("data", [[[1, 2], [3, 4]], [1, 2, 3, 4], [[1], [2], [3], [4]], [[[1, 2, 3, 4]]]])
def test_lists_may_be_nested_or_flat(data: Any, words: bool) -> None:
    assert read("INT32", data, (2, 2), words).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("INT32", [1.5]),
        ("INT32", [True]),
        ("INT32", ["1"]),
        ("FP32", [None]),
        ("FP32", [True, 0.5]),
        ("BOOL", [1]),
        ("BYTES", [1]),
        ("INT32", [1, 2, 3]),
        ("BYTES", ["a", "b"]),
        ("FP32", 5),
        ("INT32", [[1], [2, 3]]),
    ],
)
def test_nothing_is_guessed(name: str, data: Any) -> None:
    with pytest.raises(ServeError) as error:
        read(name, data, (1,))
    assert error.value.code is Code.INVALID_ARGUMENT
    assert "'x'" in error.value.message


def test_texts_keep_half_of_a_surrogate_pair() -> None:
    assert read("BYTES", ["a", "\ud800"]).tolist() == [b"a", "\ud800".encode("utf-8", "surrogatepass")]
    assert read("BYTES", [["a"], ["b"]], (2, 1)).tolist() == [[b"a"], [b"b"]]


def test_nothing_is_a_tensor_too() -> None:
    assert read("FP16", [], (0, 3)).shape == (0, 3)
    assert read("BF16", [1, 2]).dtype == DATATYPES["BF16"].numpy
    assert read("FP32", [math.nan, 1e300]).tolist()[1] == math.inf


@pytest.mark.parametrize(
    ("array", "finite"),
    [
        (np.float32([1, 2]), True),
        (np.float32([1, np.nan]), False),
        (np.float32([3e38, 3e38]), True),
        (np.float16([np.inf]), False),
        (np.array([1, 2]).astype(DATATYPES["BF16"].numpy), True),
    ],
)
def test_what_json_cannot_write_is_told(array: Any, finite: bool) -> None:
    flat, all_finite = data_of(Tensor("y", "FP32", array.shape, array))
    assert all_finite == finite
    assert json.loads(json.dumps(np.asarray(flat).tolist()), parse_constant=float) is not None


def test_bytes_that_are_no_text() -> None:
    assert data_of(Tensor("y", "BYTES", (2,), objects([b"a", "b"]))) == (["a", "b"], True)
    with pytest.raises(ServeError, match="binary_data") as error:
        data_of(Tensor("y", "BYTES", (1,), objects([b"\xff"])))
    assert error.value.code is Code.UNSUPPORTED


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("FP32", [1, None], "hold numbers for FP32; element 1 is null"),
        ("INT64", [1, 2, 2.5], "hold whole numbers for INT64; element 2 is 2.5"),
        ("BOOL", [True, 1], "hold true or false for BOOL; element 1 is 1"),
        ("FP16", [[1.0], [True]], "hold numbers for FP16; element 1 is true"),
        ("BYTES", ["a", None], "hold strings for BYTES; element 1 is null"),
        ("BYTES", [["a"], [{"a": "b" * 50}]], 'element 1 is {"a": "'),
    ],
)
def test_the_element_that_does_not_fit_is_told(name: str, data: Any, told: str) -> None:
    with pytest.raises(ServeError) as error:
        read(name, data)
    assert told in error.value.message and len(error.value.message) < 120
