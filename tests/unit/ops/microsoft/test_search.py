"""Searches over small decoders beside onnxruntime, which runs the same files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx.errors import SardonyxError
from tests.unit.ops.microsoft.searches import (
    BEGIN,
    EOS,
    PAD,
    WIDTH,
    WORDS,
    Array,
    crossed,
    decoder,
    encoded,
    model,
    numpy_results,
    peer_results,
)

SLOW = pytest.mark.slow
NO_END = -1
RNG = np.random.default_rng(0)
PROMPTS = np.array([[PAD, PAD, 3, 4], [5, 6, 7, 8], [PAD, 9, 4, 2]], np.int32)
LINES = "int32[B,L] y"
BEAMED = "int32[B,N,L] y; float[B,N] s"
SCORED = f"{BEAMED}; float[K,B,W,V] t"


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int32)


def real(number: float) -> Array:
    return np.array([number], np.float32)


def flags(*shape: int) -> Array:
    mask = (RNG.random(shape) < 0.6).astype(np.int32)
    mask[..., EOS] = mask[..., 5] = 1
    return mask


def check(data: bytes, feeds: Mapping[str, Array | None]) -> list[Array]:
    """Equal tokens, and scores within a few roundings of their largest; what the graph gives."""
    found = [np.asarray(result) for result in numpy_results(data, feeds)]
    for ours, theirs in zip(found, peer_results(data, feeds), strict=True):
        assert ours.dtype == theirs.dtype
        if theirs.dtype.kind == "i":
            assert ours.tolist() == theirs.tolist()
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    return found


def greedy(**more: Array | None) -> dict[str, Array | None]:
    return {
        "ids": PROMPTS,
        "most": ints(14),
        "least": ints(0),
        "repetition": real(1),
        "vocabulary": None,
        "first": None,
        "mask": None,
        **more,
    }


GREEDY: dict[str, tuple[dict[str, Array | None], str]] = {
    "plain": ({}, ""),
    "at least": ({"least": ints(9)}, ""),
    "repetition": ({"repetition": real(1.7)}, ""),
    "no pairs twice": ({}, "no_repeat_ngram_size = 2"),
    "no word twice": ({}, "no_repeat_ngram_size = 1"),
    "vocabulary": ({"vocabulary": flags(WORDS)}, ""),
    "first word": ({"first": flags(3, WORDS)}, ""),
    "mask": ({"mask": (PROMPTS != PAD).astype(np.int32)}, ""),
    "narrow": ({}, f"vocab_size = {WORDS}"),
    "one word": ({"ids": PROMPTS[:, 3:]}, ""),
}


def quick_and(quick: list[Any], *slow: Any) -> list[Any]:
    return [
        *quick,
        *(pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=SLOW) for value in slow),
    ]


@pytest.mark.parametrize("case", GREEDY)
@pytest.mark.parametrize("seed", quick_and([0], 1))
def test_greedy_search(case: str, seed: int) -> None:
    more, attributes = GREEDY[case]
    feeds = greedy(**more)
    check(model("GreedySearch", feeds, decoder(), LINES, attributes=attributes, seed=seed, eos=NO_END), feeds)


@pytest.mark.parametrize("seed", range(4))
def test_sequences_end_with_padding(seed: int) -> None:
    """Onnxruntime leaves what follows the last end of all as it was in memory."""
    feeds = greedy(most=ints(30))
    data = model("GreedySearch", feeds, decoder(), LINES, seed=seed)
    (ours,), (theirs,) = numpy_results(data, feeds), peer_results(data, feeds)
    for row, other in zip(ours.tolist(), theirs.tolist(), strict=True):
        length = max(np.flatnonzero(row).max(initial=0) + 1, PROMPTS.shape[1])
        assert row[:length] == other[:length]
        assert not any(row[length:])


def test_a_decoder_of_its_own_for_the_prompt() -> None:
    feeds = greedy()
    graphs = f"{decoder('init_decoder')}, {decoder()}"
    plain, own = (model("GreedySearch", feeds, g, LINES, eos=NO_END) for g in (decoder(), graphs))
    (expected,), (found,) = check(plain, feeds), check(own, feeds)
    np.testing.assert_array_equal(found, expected)


DRAWN = {
    "likeliest half": "top_p = 0.5, min_tokens_to_keep = 1, filter_value = -inf",
    "all": "top_p = 1.0, min_tokens_to_keep = 1",
    "one at least": "top_p = 0.0, min_tokens_to_keep = 1",
    "three at least": "top_p = 0.0, min_tokens_to_keep = 3",
    "counted from above": "top_p = 0.8, custom = 1",
    "warm": "top_p = 0.95, min_tokens_to_keep = 1, temperature = 2.5",
    "cold": "top_p = 0.95, min_tokens_to_keep = 1, temperature = 0.2",
}


@pytest.mark.parametrize("case", DRAWN)
@pytest.mark.parametrize("seed", quick_and([12345], None, 0, 1))
def test_sampling(case: str, seed: int | None) -> None:
    given = None if seed is None else ints(seed)
    feeds = greedy(presence=None, seed=given, most=ints(20))
    attributes = DRAWN[case].replace("-inf", "-1e30")
    check(model("Sampling", feeds, decoder(), LINES, attributes=attributes, eos=NO_END), feeds)


def test_words_that_are_present_are_punished() -> None:
    """Onnxruntime takes all penalties off the score of the first word."""
    mask = np.zeros((3, WORDS), np.int32)
    feeds = greedy(presence=mask, seed=ints(3), least=ints(14))
    attributes = "top_p = 0.0, min_tokens_to_keep = 1, presence_penalty = 1000.0"
    data = model("Sampling", feeds, decoder(), LINES, attributes=attributes)
    before = np.asarray(numpy_results(data, feeds)[0])[:, 4:]
    mask[np.arange(3), before[:, 0]] = 1
    after = np.asarray(numpy_results(data, feeds)[0])[:, 4:]
    assert (after[:, 0] != before[:, 0]).all()
    assert all(word not in row for word, row in zip(before[:, 0], after, strict=True))


def beamed(beams: int, count: int, **more: Array | None) -> dict[str, Array | None]:
    return {
        "ids": PROMPTS,
        "most": ints(12),
        "least": ints(0),
        "beams": ints(beams),
        "count": ints(count),
        "lengths": real(1),
        "repetition": real(1),
        "vocabulary": None,
        "first": None,
        "mask": None,
        **more,
    }


BEAMS: dict[str, tuple[dict[str, Array | None], str]] = {
    "plain": ({}, ""),
    "long": ({"lengths": real(2)}, ""),
    "short": ({"lengths": real(0.3)}, ""),
    "at least": ({"least": ints(9)}, ""),
    "repetition": ({"repetition": real(1.7)}, ""),
    "no pairs twice": ({}, "no_repeat_ngram_size = 2"),
    "vocabulary": ({"vocabulary": flags(WORDS)}, ""),
    "first word": ({"first": flags(3, WORDS)}, ""),
    "mask": ({"mask": (PROMPTS != PAD).astype(np.int32)}, ""),
    "one word": ({"ids": PROMPTS[:, 3:]}, ""),
}


@pytest.mark.parametrize("case", BEAMS)
@pytest.mark.parametrize(("beams", "count"), quick_and([(3, 2)], (1, 1), (4, 4)))
@pytest.mark.parametrize("early", quick_and([0], 1))
def test_beam_search(case: str, beams: int, count: int, early: int) -> None:
    """Onnxruntime lets the scores of other items decide when an item ends; so each one is asked alone."""
    more, attributes = BEAMS[case]
    attributes = ", ".join(part for part in (f"early_stopping = {early}", attributes) if part)
    feeds = beamed(beams, count, **more)
    whole = model("BeamSearch", feeds, decoder(), BEAMED, attributes=attributes)
    together = numpy_results(whole, feeds)
    for item in range(len(PROMPTS)):
        alone = {n: a if a is None or a.ndim == 1 else a[item : item + 1] for n, a in feeds.items()}
        sequences, scores = check(whole, alone)
        np.testing.assert_array_equal(sequences[0], together[0][item])
        np.testing.assert_allclose(scores[0], together[1][item], rtol=1e-5)
    if early:
        check(whole, feeds)


def test_scores_of_all_tokens() -> None:
    feeds = beamed(3, 2)
    check(model("BeamSearch", feeds, decoder(), SCORED, eos=NO_END), feeds)
    ended = numpy_results(model("BeamSearch", feeds, decoder(), SCORED, seed=3), feeds)[2]
    assert ended.shape == (8, 3, 3, WORDS)


SOURCE = np.array([[3, 4, 5, 6], [PAD, PAD, 7, 8]], np.int32)


@pytest.mark.parametrize("beams", quick_and([3], 1))
@pytest.mark.parametrize("masked", quick_and([True], False))
@pytest.mark.parametrize(
    ("starts", "whole"),
    [(True, False), (False, False), (True, True)],
    ids=["steps", "cross alone", "sequences"],
)
def test_encoders_and_decoders(starts: bool, whole: bool, masked: bool, beams: int) -> None:
    mask = np.array([[1, 1, 1, 0], [0, 0, 1, 1]], np.int32) if masked else None
    feeds = beamed(beams, 1, ids=SOURCE, mask=mask)
    graphs = f"{encoded(ids=True, starts=starts)}, {crossed(ids=True, whole=whole)}"
    attributes = f"model_type = 1, decoder_start_token_id = {BEGIN}, early_stopping = 1"
    for seed in range(3):
        check(model("BeamSearch", feeds, graphs, BEAMED, attributes=attributes, seed=seed), feeds)


@pytest.mark.parametrize("starts", [False, True])
def test_pasts_in_buffers_of_full_length(starts: bool) -> None:
    """Onnxruntime's CPU provider does not tell a decoder how much of such a buffer is in use."""
    attributes = f"model_type = 1, decoder_start_token_id = {BEGIN}, early_stopping = 1"
    for beams in (1, 3):
        feeds = beamed(beams, 1, ids=SOURCE)
        encoder = encoded(ids=True, starts=starts)
        growing, shared = (
            model(
                "BeamSearch",
                feeds,
                f"{encoder}, {crossed(ids=True, shared=s)}",
                BEAMED,
                attributes=attributes,
            )
            for s in (False, True)
        )
        expected = check(growing, feeds)
        found = numpy_results(shared, feeds)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)


FEATURES = RNG.standard_normal((2, WIDTH, 5)).astype(np.float32)
BEGUN = np.array([[BEGIN, 5], [BEGIN, 6]], np.int32)
TIMES = {
    "translate_token_id": 3,
    "transcribe_token_id": 4,
    "start_of_lm_token_id": 5,
    "no_timestamps_token_id": 6,
    "beginning_timestamp_token_id": 8,
}


def heard(**more: Array | None) -> dict[str, Array | None]:
    return {**beamed(3, 2, ids=FEATURES, most=ints(16)), "begun": BEGUN, "rules": None, **more}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("op", ["BeamSearch", "WhisperBeamSearch"])
def test_searches_over_sound(op: str, whole: bool) -> None:
    feeds = heard()
    graphs = f"{encoded(ids=False, starts=True)}, {crossed(ids=False, whole=whole)}"
    attributes = f"model_type = 2, decoder_start_token_id = {BEGIN}, early_stopping = 1"
    for seed in range(3):
        check(model(op, feeds, graphs, BEAMED, attributes=attributes, seed=seed), feeds)


@pytest.mark.parametrize("seed", quick_and([0, 1], *range(2, 8)))
@pytest.mark.parametrize("warmth", quick_and([0.5], None, 3.0))
def test_rules_of_times(seed: int, warmth: float | None) -> None:
    more = {} if warmth is None else {"layers": None, "extra": None, "temperature": real(warmth)}
    feeds = heard(rules=ints(1), **more)
    graphs = f"{encoded(ids=False, starts=True)}, {crossed(ids=False)}"
    given = ", ".join(f"{name} = {number}" for name, number in TIMES.items())
    attributes = f"decoder_start_token_id = {BEGIN}, early_stopping = 1, vocab_size = {WORDS}, {given}"
    check(model("WhisperBeamSearch", feeds, graphs, BEAMED, attributes=attributes, seed=seed), feeds)


def test_silence_is_told() -> None:
    feeds = heard()
    graphs = f"{encoded(ids=False, starts=True)}, {crossed(ids=False)}"
    attributes = f"decoder_start_token_id = {BEGIN}, no_speech_token_id = 7"
    results = f"{BEAMED}; ; ; float[B] n"
    found = numpy_results(model("WhisperBeamSearch", feeds, graphs, results, attributes=attributes), feeds)
    assert found[2].shape == (2,)
    assert ((found[2] > 0) & (found[2] < 1)).all()


@pytest.mark.parametrize(
    ("op", "feeds", "attributes"),
    [
        ("GreedySearch", greedy(), "model_type = 1"),
        ("Sampling", greedy(presence=None, seed=None), f"min_tokens_to_keep = {WORDS}"),
        ("Sampling", greedy(presence=None, seed=None), "min_tokens_to_keep = -1"),
        ("BeamSearch", beamed(2, 3), ""),
        ("BeamSearch", beamed(2, 2), "model_type = 1"),
    ],
)
def test_searches_without_meaning(op: str, feeds: dict[str, Any], attributes: str) -> None:
    data = model(op, feeds, decoder(), BEAMED if op == "BeamSearch" else LINES, attributes=attributes)
    with pytest.raises(SardonyxError):
        numpy_results(data, feeds)


FEEDS = {
    "GreedySearch": greedy(),
    "Sampling": greedy(presence=None, seed=ints(5)),
    "BeamSearch": beamed(3, 2),
}


@cache
def native(op: str) -> tuple[bytes, Any]:
    """A model that runs a search to its limit, and its session."""
    attributes = DRAWN["warm"] if op == "Sampling" else ""
    results = BEAMED if op == "BeamSearch" else LINES
    data = model(op, FEEDS[op], decoder(), results, attributes=attributes, eos=NO_END)
    return data, sardonyx.InferenceSession(data)


@pytest.mark.parametrize("op", FEEDS)
def test_searches_run_native(op: str) -> None:
    """One session serves prompts and results of any length."""
    data, session = native(op)
    assert not session.report.fallbacks
    for length, most in ((4, 14), (2, 9), (1, 3)):
        given = {**FEEDS[op], "ids": PROMPTS[:, -length:], "most": ints(most)}
        live = {name: array for name, array in given.items() if array is not None}
        ours, theirs = session.run(None, live), peer_results(data, live)
        assert ours[0].tolist() == theirs[0].tolist()


def test_a_search_without_room_is_refused_when_it_runs() -> None:
    _, session = native("GreedySearch")
    live = {name: array for name, array in FEEDS["GreedySearch"].items() if array is not None}
    with pytest.raises(Exception, match="negative size"):
        session.run(None, {**live, "most": ints(2)})
    assert session.run(None, live)[0].shape == (3, 14)
