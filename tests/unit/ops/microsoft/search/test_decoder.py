"""What decoders are fed: by the names that searches know, first and after each token."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import LoadError
from sardonyx.ir.value import Value, const, scalar
from sardonyx.ops.microsoft.search.decoder import DecoderOnly, EncoderDecoder, Now, Search, fed, pasts
from sardonyx.ops.subgraph import Formal
from tests.unit.ops.formulas import Array, computed
from tests.unit.ops.microsoft.search.bodies import TAKES, nested

PAD, BEAMS, ROOM = 0, 2, 6
SEARCH = Search(BEAMS, PAD, ROOM, -1)
IDS = np.array([[0, 3, 1], [2, 1, 3]], np.int32)
PAST = "float[2,R,1,P,1] past_0"
NEXT = np.array([1, 2, 3, 1], np.int32)

SEEN = f"""d ({TAKES}, {PAST}) => (float[R,S,T] logits, float[2,R,1,Q,1] present_0) {{
    zero = Constant<value_ints = [-1, 1]>()
    p = Cast<to = 1>(position_ids)  m = Cast<to = 1>(attention_mask)
    a = Constant<value_ints = [2]>()  u = Unsqueeze(p, a)
    b = Constant<value_ints = [1]>()  w = Unsqueeze(m, b)
    logits = Add(u, w)
    i = Cast<to = 1>(input_ids)  c = Constant<value_ints = [0, 2, 4]>()  n = Unsqueeze(i, c)
    two = Concat<axis = 0>(n, n)  present_0 = Concat<axis = 3>(past_0, two)
}}"""
"""Scores tell the places and the mask; what is kept are the words."""


def only(mask: Array | None = None) -> DecoderOnly:
    body = nested(SEEN)
    return DecoderOnly(SEARCH, body, body, const(IDS), None if mask is None else const(mask))


def now(length: int) -> Now:
    return Now(const(np.zeros((4, ROOM), np.int32)), scalar(length, dt.I64))


def test_scores_are_those_of_the_last_word_and_of_used_words() -> None:
    logits = const(np.arange(24, dtype=np.float64).reshape(2, 3, 4))
    assert computed(SEARCH.last(logits))[0].tolist() == [[8, 9, 10, 11], [20, 21, 22, 23]]
    (narrow,) = computed(Search(BEAMS, PAD, ROOM, 2).last(logits))
    assert (narrow.tolist(), narrow.dtype) == ([[8, 9], [20, 21]], np.float32)


def test_values_get_the_types_that_are_declared() -> None:
    x = const(np.array([1, 2], np.int32))
    (same, cast) = fed([Formal("x", None, None), Formal("x", dt.I64, None)], {"x": x})
    assert same is x
    assert cast.dtype is dt.I64
    with pytest.raises(LoadError, match='does not know what to feed to "odd"; it knows x'):
        fed([Formal("odd", None, None)], {"x": x})


def test_pasts_are_what_is_left() -> None:
    names = ("input_ids", "past_0", "past_1", "past_sequence_length", "beam_width", "cache_indirection")
    formals = [Formal(name, None, None) for name in names]
    assert [formal.name for formal in pasts(formals, 1)] == ["past_0", "past_1"]


def test_a_prompt_counts_its_words_and_repeats_its_rows() -> None:
    made = only()
    assert (made.batch, made.prompt) == (2, 3)
    tokens, (scores, state) = made.start()
    found = dict(zip(state, computed(*state.values()), strict=True))
    assert tokens is made.ids
    assert found["position"].tolist() == [2, 2, 3, 3]
    assert found["mask"].tolist() == [[0, 1, 1]] * 2 + [[1, 1, 1]] * 2
    assert found["past 0"].shape == (2, 4, 1, 3, 1)
    assert found["past 0"][0, :, 0, :, 0].tolist() == [[0, 3, 1]] * 2 + [[2, 1, 3]] * 2
    assert computed(scores)[0].tolist() == [[1, 2, 2]] * 2 + [[3, 3, 3]] * 2


def test_a_mask_that_is_given_counts() -> None:
    _, (_, state) = only(np.array([[1, 1, 0], [0, 0, 1]], np.int64)).start()
    assert computed(state["mask"])[0].tolist() == [[1, 1, 0]] * 2 + [[0, 0, 1]] * 2


@pytest.mark.parametrize("rows", [None, [1, 0, 2, 2]])
def test_a_step_goes_on_from_the_rows_that_were_chosen(rows: list[int] | None) -> None:
    made = only()
    _, (_, state) = made.start()
    source: Value | None = None if rows is None else const(np.array(rows))
    scores, after = made.step(made.decoder.inline, const(NEXT), source, now(4), state)
    found = dict(zip(after, computed(*after.values()), strict=True))
    assert found["position"].tolist() == [3, 3, 4, 4]
    assert found["mask"].tolist() == [[0, 1, 1, 1]] * 2 + [[1, 1, 1, 1]] * 2
    words = np.repeat(IDS, BEAMS, 0)
    kept = words if rows is None else words[rows]
    assert found["past 0"][1, :, 0, :, 0].tolist() == np.column_stack([kept, NEXT]).tolist()
    assert computed(scores)[0][0].tolist() == [2, 3, 3, 3]


def test_buffers_of_full_length_tell_how_much_of_them_is_used() -> None:
    shared = SEARCH.shared(4, scalar(3, dt.I64))
    found = dict(zip(shared, computed(*shared.values()), strict=True))
    assert found["past_sequence_length"].tolist() == [3]
    assert found["beam_width"].tolist() == [BEAMS]
    assert found["cache_indirection"].shape == (2, BEAMS, ROOM)
    assert found["cache_indirection"][:, 1].tolist() == [[1] * ROOM] * 2
    assert computed(SEARCH.shared(4, None)["past_sequence_length"])[0].tolist() == [0]


KEPT = "float[R,1,P,1] past_key_self_0, float[R,1,P,1] past_value_self_0"
CROSS = "float[R,1,E,1] past_key_cross_0, float[R,1,E,1] past_value_cross_0"
ENCODER = """e (int32[B,E] encoder_input_ids, int32[B,E] encoder_attention_mask)
    => (float[B,1,E,1] key, float[B,1,E,1] value) {
    x = Cast<to = 1>(encoder_input_ids)  m = Cast<to = 1>(encoder_attention_mask)
    a = Constant<value_ints = [1, 3]>()  key = Unsqueeze(x, a)  value = Unsqueeze(m, a)
}"""
DECODER = f"""d (int32[R,1] input_ids, {KEPT}, {CROSS})
    => (float[R,1,E] logits, float[R,1,Q,1] nk, float[R,1,Q,1] nv) {{
    a = Constant<value_ints = [1, 3]>()  i = Cast<to = 1>(input_ids)  u = Unsqueeze(i, a)
    nk = Concat<axis = 2>(past_key_self_0, u)  nv = Identity(nk)
    b = Constant<value_ints = [3]>()  s = Mul(past_key_cross_0, past_value_cross_0)  logits = Squeeze(s, b)
}}"""


def test_an_encoder_is_asked_once_and_its_results_are_kept_for_every_beam() -> None:
    begin = const(np.array([[1], [2]], np.int32))
    made = EncoderDecoder(SEARCH, nested(DECODER), nested(ENCODER), const(IDS), None, begin)
    assert (made.batch, made.prompt) == (2, 1)
    tokens, (scores, state) = made.start()
    assert tokens is begin
    found = dict(zip(state, computed(*state.values()), strict=True))
    assert found["cross 0"][:, 0, :, 0].tolist() == np.repeat(IDS, BEAMS, 0).tolist()
    assert found["cross 1"][:, 0, :, 0].tolist() == [[0, 1, 1]] * 2 + [[1, 1, 1]] * 2
    assert found["past 0"][:, 0, :, 0].tolist() == [[1], [1], [2], [2]]
    assert computed(scores)[0].tolist() == [[0, 3, 1]] * 2 + [[2, 1, 3]] * 2
    _, after = made.step(made.decoder.inline, const(NEXT), const(np.array([3, 2, 1, 0])), now(2), state)
    assert computed(after["past 1"])[0][:, 0, :, 0].tolist() == [[2, 1], [2, 2], [1, 3], [1, 1]]
    assert computed(after["cross 0"])[0].tolist() == found["cross 0"].tolist()


def test_a_mask_of_the_encoders_words_that_is_given_counts() -> None:
    begin, mask = const(np.array([[1], [2]], np.int32)), const(np.array([[1, 0, 0], [0, 0, 1]], np.int32))
    _, (_, state) = EncoderDecoder(SEARCH, nested(DECODER), nested(ENCODER), const(IDS), mask, begin).start()
    assert computed(state["cross 1"])[0][::2, 0, :, 0].tolist() == [[1, 0, 0], [0, 0, 1]]
