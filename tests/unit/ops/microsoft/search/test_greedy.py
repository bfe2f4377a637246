"""GreedySearch and Sampling over a decoder that can be followed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, const
from sardonyx.ops.microsoft.search.greedy import greedy_search, sampling
from tests.unit.ops.formulas import built
from tests.unit.ops.microsoft.search.bodies import chain, follows

PAD, EOS = 0, 4
IDS = const(np.array([[1, 2], [3, 3]], np.int32))
SURE = chain(follows({1: 2, 2: 3, 3: 4, 4: 1}, 5))


def ints(*numbers: int) -> Value:
    return const(np.array(numbers, np.int32))


def searched(search: Any, *args: Value | None, length: int = 6, **more: Any) -> list[list[int]]:
    keywords = {"decoder": SURE, "eos_token_id": EOS, "pad_token_id": PAD, **more}
    (found,) = built(lambda: [search(IDS, ints(length), *args, **keywords)])
    assert found.dtype == np.int32
    rows: list[list[int]] = found.tolist()
    return rows


def test_the_likeliest_word_follows_until_the_end_which_is_padding() -> None:
    assert searched(greedy_search) == [[1, 2, 3, 0, 0, 0], [3, 3, 0, 0, 0, 0]]
    assert searched(greedy_search, eos_token_id=-1) == [[1, 2, 3, 4, 1, 2], [3, 3, 4, 1, 2, 3]]


def test_rules_come_from_the_operands_in_their_order() -> None:
    least, penalty = ints(5), const(np.float32([1]))
    assert all(EOS not in row[:5] for row in searched(greedy_search, least))
    vocabulary, first = ints(1, 1, 1, 0, 1), const(np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0]], np.int32))
    assert 3 not in np.array(searched(greedy_search, None, None, vocabulary))[0]
    found = searched(greedy_search, None, penalty, None, first)
    assert (found[0], found[1][2]) == ([1, 2, 3, 0, 0, 0], 0)


def test_a_decoder_of_its_own_begins() -> None:
    begins = chain(follows({2: 4, 3: 1}, 5))
    assert searched(greedy_search, init_decoder=begins) == [[1, 2, 0, 0, 0, 0], [3, 3, 1, 2, 3, 0]]


def test_sure_words_are_drawn() -> None:
    sure = chain((np.array(follows({1: 2, 2: 3, 3: 4, 4: 1}, 5)) * 100).tolist())
    found = searched(sampling, decoder=sure, top_p=1.0, min_tokens_to_keep=1)
    assert found == [[1, 2, 3, 0, 0, 0], [3, 3, 0, 0, 0, 0]]


def test_a_seed_repeats_itself() -> None:
    level = chain(np.zeros((5, 5)).tolist())
    args = (None, None, None, None, None, None)

    def drawn(seed: int) -> list[list[int]]:
        more = {"decoder": level, "top_p": 1.0, "min_tokens_to_keep": 1, "eos_token_id": -1}
        return searched(sampling, *args, ints(seed), length=20, **more)

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"model_type": 1}, UnsupportedOp, "a search without beams over a model of type 1"),
        ({"min_tokens_to_keep": -1}, ShapeError, "min_tokens_to_keep is -1; it must not be negative"),
    ],
)
def test_what_has_no_meaning_is_refused(more: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        searched(sampling, **more)


def test_prompts_are_rows() -> None:
    with pytest.raises(ShapeError, match=r"input_ids must have rank 2, they are \[3\]"):
        greedy_search(ints(1, 2, 3), ints(6), decoder=SURE, eos_token_id=EOS, pad_token_id=PAD)
