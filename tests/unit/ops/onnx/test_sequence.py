"""Sequences: what is known of their elements."""

from __future__ import annotations

import numpy as np

from tests.unit.frontend.models import outputs, parsed


def test_empty_sequences_of_two_types_are_two() -> None:
    text = """g (float[2] x, int64[2] i) => (float[?] y, int64[?] j) {
        zero = Constant<value_int = 0>()
        a = SequenceEmpty<dtype = 1>() b = SequenceEmpty<dtype = 7>()
        s = SequenceInsert(a, x) t = SequenceInsert(b, i)
        y = SequenceAt(s, zero) j = SequenceAt(t, zero)
    }"""
    x, i = np.array([1, 2], np.float32), np.array([3, 4])
    y, j = outputs(parsed(text), x, i)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(j, i)
