"""What is told of a file: its first and last bytes without blanks, padded between."""

from __future__ import annotations

import pytest

from sardonyx.zoo.tasks.files import features

CONFIG = {"block_size": 10, "beg_size": 4, "end_size": 4, "padding_token": 256}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"  ab", [97, 98, 256, 256, 32, 32, 97, 98]),
        (b"abcdefghij", [97, 98, 99, 100, 103, 104, 105, 106]),
        (b"a \n", [97, 32, 10, 256, 256, 256, 256, 97]),
        (b"", [256] * 8),
    ],
)
def test_features(data: bytes, expected: list[int]) -> None:
    assert features(data, CONFIG).tolist() == expected
