"""The best of an output come first, with index and label; ties keep their order."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.protocol.classify import classify
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Tensor


def best(data: object, count: int, labels: tuple[str, ...] = (), batches: bool = True) -> list[object]:
    array = np.asarray(data)
    tensor = classify(Tensor("y", "FP32", array.shape, array), count, labels, batches=batches)
    assert (tensor.datatype, tensor.shape) == ("BYTES", tensor.data.shape)
    return tensor.data.tolist()  # type: ignore[no-any-return]


def test_rows_and_labels() -> None:
    assert best([[0.25, 0.5, 0.25], [1, 0, 0]], 2, ("cat", "dog")) == [
        [b"0.500000:1:dog", b"0.250000:0:cat"],
        [b"1.000000:0:cat", b"0.000000:1:dog"],
    ]
    assert best([[1.0, 2.0, 3.0]], 1, ("cat",)) == [[b"3.000000:2"]], "a class may have no name"


def test_whole_numbers_truths_and_no_batch() -> None:
    assert best([3, 9, 5], 2, batches=False) == [b"9:1", b"5:2"]
    assert best([[False, True]], 1) == [[b"1:1"]]
    assert best([[1.0]], 9) == [[b"1.000000:0"]], "no more than there are"
    assert best(np.zeros((0, 3)), 2) == []


@pytest.mark.parametrize(("data", "count"), [([1.0], 0), (np.array([b"a"], object), 1)])
def test_what_cannot_be_classified(data: object, count: int) -> None:
    with pytest.raises(ServeError) as error:
        best(data, count, batches=False)
    assert error.value.code is Code.INVALID_ARGUMENT
