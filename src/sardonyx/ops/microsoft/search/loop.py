"""The loop of a search: the first token follows the prompt in place, the loop gives the others.

Decides when a search ends and what is carried from token to token; must not know how tokens are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, concat, dim_value, iota, scalar
from sardonyx.ops.microsoft.search.decoder import Decoder, Now, Search
from sardonyx.ops.microsoft.search.scores import State, repeated
from sardonyx.ops.onnx.control import LoopBody, repeat
from sardonyx.ops.subgraph import Around, Inline, SubGraph

Choice: TypeAlias = tuple[Value, Value | None, dict[str, Value], Value, tuple[Value, ...]]
"""The next tokens [R], the rows they follow, the state, whether to go on, and what is kept of the step."""
Choose: TypeAlias = Callable[[Value, Now, State, bool], Choice]
"""Makes a choice of scores, sequences and state; the last argument tells the first step."""


def number(value: Value | None, dtype: dt.DType, given: float | None = None) -> Value | None:
    """An operand of one element as a scalar; a number of the model's own if there is none."""
    if value is not None:
        return value.cast(dtype).reshape(())
    return None if given is None else scalar(given, dtype)


def held(**values: Value | None) -> dict[str, Value]:
    """What a search carries along unchanged, by the names that the rules know; None is left out."""
    return {name.replace("_", " "): value for name, value in values.items() if value is not None}


def _written(sequences: Value, tokens: Value, place: Value) -> Value:
    """Sequences [R, L] with tokens [R] at a place."""
    here = iota((1, sequences.shape[1]), 1, dt.I64).eq(place)
    return here.where(tokens.cast(dt.I32).reshape((tokens.shape[0], 1)), sequences)


def generated(
    decoder: Decoder, body: SubGraph, search: Search, choose: Choose, constant: dict[str, Value]
) -> tuple[dict[str, Value], tuple[Value, ...]]:
    """The state after the last token, and what was kept of all steps, stacked.

    The state has "sequences" [R, L] and the entries of `constant`.
    """
    begun, (scores, of_decoder) = decoder.start()
    prompt = begun.shape[1]
    rest = search.room - prompt
    if isinstance(rest, int) and rest < 1:
        raise ShapeError(f"max_length {search.room} leaves no room after a prompt of {prompt} tokens")
    rows = repeated(begun, search.beams).cast(dt.I32)
    sequences = concat([rows, scalar(search.pad, dt.I32).broadcast((rows.shape[0], rest))], 1)

    def after(
        scores: Value, now: Now, state: State, first: bool
    ) -> tuple[dict[str, Value], Value, tuple[Value, ...]]:
        tokens, source, changed, going, kept = choose(scores, now, state, first)
        taken = now.sequences if source is None else now.sequences.gather(source, 0)
        whole = {**state, **changed, "sequences": _written(taken, tokens, now.length), "tokens": tokens}
        return {**whole, **({} if source is None else {"rows": source})}, going, kept

    now = Now(sequences, dim_value(prompt, dt.I64))
    state, going, kept = after(scores, now, {**constant, **of_decoder}, True)

    def step(run: Inline, args: Sequence[Value]) -> Sequence[Value]:
        turn, _, *carried = args
        given = dict(zip(state, carried, strict=True))
        now = Now(given["sequences"], turn + dim_value(prompt + 1, dt.I64))
        scores, of_decoder = decoder.step(run, given["tokens"], given.get("rows"), now, given)
        changed, going, kept = after(scores, now, {**given, **of_decoder}, False)
        return going, *(changed[name] for name in given), *kept

    names = ("iteration", "condition", *state)
    results = ("goes on", *state, *(f"kept {n}" for n in range(len(kept))))
    counted = LoopBody(Around(body, names, results, step))
    found = repeat(dim_value(rest - 1, dt.I64), going.reshape(()), list(state.values()), counted)
    stacks = zip(kept, found[len(state) :], strict=True)
    whole = tuple(concat([first.reshape((1, *first.shape)), more], 0) for first, more in stacks)
    return dict(zip(state, found, strict=False)), whole
