"""Decoders whose next word depends on the last one alone, so that a search can be followed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from sardonyx.frontend.scope import Model, NestedGraph, Scope
from sardonyx.frontend.tensors import TensorReader
from tests.unit.ops.formulas import Array

TAKES = "int32[R,S] input_ids, int32[R,S] position_ids, int32[R,T] attention_mask"


def nested(text: str, **initialisers: Array) -> NestedGraph:
    """A graph in ONNX's text as a node's attribute."""
    proto = onnx.parser.parse_graph(text)
    proto.initializer.extend(numpy_helper.from_array(a, n) for n, a in initialisers.items())
    return NestedGraph(proto, Scope(Model({}, TensorReader(())), {"": 17, "com.microsoft": 1}))


def chain(table: Sequence[Sequence[float]], more: str = "") -> NestedGraph:
    """A decoder like GPT-2 whose scores are the row of the last word; `more` are inputs of it."""
    rows = np.float32(table)
    text = f"d ({TAKES}{more}) => (float[R,S,{len(rows[0])}] logits) {{ logits = Gather(table, input_ids) }}"
    return nested(text, table=rows)


def follows(pairs: dict[int, int], words: int) -> list[list[float]]:
    """A table in which one word follows another for sure."""
    return [[5.0 * (pairs.get(word) == after) for after in range(words)] for word in range(words)]
