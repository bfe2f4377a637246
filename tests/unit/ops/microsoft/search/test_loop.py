"""The loop of a search: the first token in place, the others as long as someone goes on."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, const, placeholder, scalar
from sardonyx.ops.microsoft.search.decoder import DecoderOnly, Now, Search
from sardonyx.ops.microsoft.search.loop import Choice, Choose, generated, held, number
from sardonyx.ops.microsoft.search.scores import State
from tests.unit.ops.formulas import Array, built, computed
from tests.unit.ops.microsoft.search.bodies import chain, follows

PAD, WORDS = 0, 5
TABLE = chain(follows({1: 2, 2: 3, 3: 4, 4: 1}, WORDS))


def likeliest(stop: int) -> Choose:
    """Takes the likeliest word of each row, until all have had `stop`; keeps the scores."""

    def choose(scores: Value, now: Now, state: State, first: bool) -> Choice:
        rows = scores.shape[0]
        tokens = scores.reduce_max(1).eq(scores).cast(dt.I32)
        words = const(np.arange(WORDS, dtype=np.int32).reshape(1, WORDS))
        chosen = (tokens * words).sum(1).reshape((rows,))
        ended = state["ended"].logical_or(chosen.eq(stop))
        going = ended.logical_not().cast(dt.I32).reduce_max(0).cast(dt.BOOL)
        changed = {"ended": ended, "firsts": state["firsts"] + int(first)}
        return chosen, None, changed, going, (scores,)

    return choose


def searched(prompt: list[list[int]], room: int, stop: int) -> tuple[dict[str, Array], list[Array]]:
    ids = np.array(prompt, np.int32)
    search = Search(1, PAD, room, -1)
    decoder = DecoderOnly(search, TABLE, TABLE, const(ids), None)
    constant = {"ended": const(np.zeros(len(ids), bool)), "firsts": scalar(0, dt.I64)}
    names: list[str] = []

    def formula() -> list[Value]:
        state, kept = generated(decoder, TABLE, search, likeliest(stop), constant)
        names.extend(state)
        return [*state.values(), *kept]

    found = built(formula)
    return dict(zip(names, found, strict=False)), found[len(names) :]


def test_words_follow_each_other_until_there_is_no_room() -> None:
    state, (kept,) = searched([[1, 2], [4, 4]], 6, stop=-1)
    assert state["sequences"].tolist() == [[1, 2, 3, 4, 1, 2], [4, 4, 1, 2, 3, 4]]
    assert state["firsts"] == 1
    assert kept.shape == (4, 2, WORDS)
    assert kept.argmax(2).T.tolist() == [[3, 4, 1, 2], [1, 2, 3, 4]]


def test_it_ends_when_nobody_goes_on() -> None:
    state, (kept,) = searched([[1], [2]], 9, stop=4)
    assert state["sequences"].tolist() == [[1, 2, 3, 4, 0, 0, 0, 0, 0], [2, 3, 4, 1, 0, 0, 0, 0, 0]]
    assert len(kept) == 3


@pytest.mark.parametrize("room", [1, 2])
def test_a_prompt_must_leave_room(room: int) -> None:
    with pytest.raises(ShapeError, match=f"max_length {room} leaves no room after a prompt of 2"):
        searched([[1, 2]], room, stop=-1)


def test_operands_are_numbers() -> None:
    assert number(None, dt.F32) is None
    found = number(None, dt.F32, 1.5)
    assert found is not None
    assert (computed(found)[0], found.dtype) == (1.5, dt.F32)
    given = number(placeholder("x", dt.F64, (1,)), dt.F32, 9.0)
    assert given is not None
    assert (given.dtype, given.shape) == (dt.F32, ())


def test_what_is_held_has_the_names_of_the_rules() -> None:
    x = scalar(1, dt.F32)
    assert held(least_length=x, penalty=None) == {"least length": x}
