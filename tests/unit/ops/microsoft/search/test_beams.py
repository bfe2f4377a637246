"""BeamSearch and WhisperBeamSearch: what their operands say, what is told, and what has no meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, const
from sardonyx.ops.microsoft.search.beams import beam_search, whisper_beam_search
from sardonyx.ops.table import Node
from tests.unit.ops.formulas import Array, built
from tests.unit.ops.microsoft.search.bodies import chain

PAD, EOS = 0, 3
NEVER = -30.0
CHANCES = [
    [NEVER, NEVER, NEVER, 0],
    [NEVER, np.log(0.6), np.log(0.4), NEVER],
    [NEVER, NEVER, np.log(0.01), np.log(0.99)],
    [0, NEVER, NEVER, NEVER],
]
"""1 is followed by 1 or 2, 2 by the end: the likeliest first step does not lead to the likeliest text."""
BODY = chain(CHANCES)
IDS = const(np.array([[1]], np.int32))


def ints(*numbers: int) -> Value:
    return const(np.array(numbers, np.int32))


def node(*outputs: str) -> Node:
    return Node("BeamSearch", "n", 1, outputs, {}, "com.microsoft")


def searched(
    beams: int = 2, count: int = 2, length: int = 3, outputs: tuple[str, ...] = ("y", "s"), **more: Any
) -> list[Array]:
    keywords = {"decoder": BODY, "eos_token_id": EOS, "pad_token_id": PAD, **more}
    counts = ints(beams), ints(count)
    return built(lambda: beam_search(IDS, ints(length), None, *counts, node=node(*outputs), **keywords))


def test_the_best_text_wins_over_the_best_first_word() -> None:
    texts, scores = searched()
    assert texts.tolist() == [[[1, 1, 1], [1, 2, 0]]]
    np.testing.assert_allclose(scores, np.log([[0.36, 0.396]]) / [[3, 2]], rtol=1e-4)


def test_a_length_penalty_chooses_and_gives_its_type() -> None:
    keywords: dict[str, Any] = {"decoder": BODY, "eos_token_id": EOS, "pad_token_id": PAD}
    penalty = const(np.array([0], np.float64))
    operands = ints(4), None, ints(2), ints(1), penalty
    texts, scores = built(lambda: beam_search(IDS, *operands, node=node("y", "s"), **keywords))
    assert (texts.tolist(), scores.dtype) == ([[[1, 2, 0, 0]]], np.float64)
    np.testing.assert_allclose(scores, np.log([[0.396]]), rtol=1e-4)


def test_scores_of_all_words_are_told_where_they_are_named() -> None:
    texts, _, steps = searched(outputs=("y", "s", "t"), length=4)
    assert texts.shape == (1, 2, 4)
    assert steps.shape == (3, 1, 2, 4)
    np.testing.assert_allclose(steps[0, 0, 0, 1:3], np.log([0.6, 0.4]), rtol=1e-4)


@pytest.mark.parametrize(("beams", "count"), [(2, 3), (2, 0)])
def test_no_more_texts_than_beams(beams: int, count: int) -> None:
    with pytest.raises(ShapeError, match=f"{count} sequences cannot be returned from {beams} beams"):
        searched(beams, count)


@pytest.mark.parametrize("kind", [1, 2, 7])
def test_models_with_an_encoder_need_one(kind: int) -> None:
    with pytest.raises(UnsupportedOp, match=f"BeamSearch over a model of type {kind}"):
        searched(model_type=kind)


def test_decoding_begins_with_a_token_of_the_model_or_given() -> None:
    with pytest.raises(ShapeError, match="no decoder_start_token_id and no decoder_input_ids are given"):
        searched(model_type=1, encoder=BODY)


@pytest.mark.parametrize(
    ("more", "outputs", "message"),
    [
        ({"encoder": None}, ("y",), "without an encoder, or over a model of type 2"),
        ({"encoder": BODY, "model_type": 0}, ("y",), "without an encoder, or over a model of type 0"),
        ({"encoder": BODY, "decoder_output_cross_qk": 1}, ("y",), "scores of cross attention"),
        ({"encoder": BODY}, ("y", "s", "t", "qk"), "scores of cross attention"),
    ],
)
def test_searches_over_sound_without_meaning(
    more: dict[str, Any], outputs: tuple[str, ...], message: str
) -> None:
    keywords = {"decoder": BODY, "eos_token_id": EOS, "pad_token_id": PAD, **more}
    with pytest.raises(UnsupportedOp, match=message):
        whisper_beam_search(IDS, ints(3), None, ints(2), ints(1), node=node(*outputs), **keywords)
