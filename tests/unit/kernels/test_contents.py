"""The content of a constant is looked at once for each question."""

from __future__ import annotations

import numpy as np

from sardonyx.ir.value import const
from sardonyx.kernels.contents import allows


def test_a_question_is_asked_once_of_each_constant() -> None:
    asked = []

    def are_positive(data: np.ndarray) -> bool:
        asked.append(data)
        return bool((data > 0).all())

    values = [const(np.array([1.5, n], np.float32)) for n in (-1, 1)]
    assert [allows(value, are_positive) for value in (*values, *values)] == [False, True] * 2
    assert len(asked) == 2
    assert not allows(values[1], lambda data: bool((data < 0).all())), "another question has another answer"
