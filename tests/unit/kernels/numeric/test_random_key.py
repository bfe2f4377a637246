"""Keys follow a seed where one is set, differ by stream, and are new in every run where none is."""

from __future__ import annotations

import ctypes

import numpy as np

from sardonyx import targets
from sardonyx.base.abi import Context, RandomState
from sardonyx.kernels.numeric.random_key import random_key_ir
from tests.unit.objects import compiled, loaded


class Drawing:
    def __init__(self) -> None:
        self.image = loaded([compiled(random_key_ir(), targets.detect())], targets.detect())
        self.state = np.zeros(len(RandomState) + 8, np.int64)
        self.context = np.zeros(len(Context) + 8, np.int64)
        self.context[Context.RANDOM] = self.state.ctypes.data
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(
            self.image.address("sdx_random_key")
        )

    def seed(self, number: int) -> None:
        self.state[RandomState.SEEDED], self.state[RandomState.STATE] = 1, number

    def draw(self, stream: int, thread: int = 0) -> int:
        result = np.zeros(2, np.uint32)
        words = np.array([result.ctypes.data, stream], np.int64)
        self.context[Context.TID] = thread
        self.call(words.ctypes.data, self.context.ctypes.data)
        assert result[1] == 0, "one number is written"
        return int(result[0])


def test_keys() -> None:
    made = Drawing()
    fresh = {made.draw(1) for _ in range(64)}
    assert len(fresh) > 60
    made.seed(7)
    first = [made.draw(1) for _ in range(64)]
    assert len(set(first)) > 60
    made.seed(7)
    assert [made.draw(1) for _ in range(64)] == first
    made.seed(8)
    assert not {made.draw(1) for _ in range(64)} & set(first)
    made.seed(7)
    assert not {made.draw(2) for _ in range(64)} & set(first)
    made.seed(7)
    assert made.draw(1, thread=1) == 0, "other threads leave it to the first"
    assert made.draw(1) == first[0]
