"""scikit-learn's readers of texts: converters for skl2onnx, whose own count other n-grams of some.

Decides how n-grams are counted, or hashed, and weighted; sklearn_tokens decides what they are made of.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular import sklearn_tokens
from sardonyx.convert.frameworks.tabular.sklearn_outputs import answering, finish, numbers
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts readers of texts, and weights of what they counted, right."""
    from sklearn.feature_extraction import text

    weighed = answering(lambda model: model.n_features_in_, _weighed)
    reading = Writer(_shapes, _read, parser=weighed.parser)
    return written(
        {
            text.CountVectorizer: reading,
            text.TfidfVectorizer: reading,
            text.HashingVectorizer: reading,
            text.TfidfTransformer: replace(weighed, parser=None),
        }
    )


def _shapes(operator: Any) -> None:
    reader = operator.raw_operator
    numbers(operator, len(reader.vocabulary_) if hasattr(reader, "vocabulary_") else reader.n_features)


def _read(scope: Any, operator: Any, container: Any) -> None:
    reader, graph = operator.raw_operator, GraphWriter()
    found = sklearn_tokens.tokens(graph, reader, "texts")
    if hasattr(reader, "vocabulary_"):
        answer = _counted(graph, reader, found)
    else:
        answer = _hashed(graph, reader, found)
    if reader.binary:
        there = graph.node("Cast", [answer], to=TensorProto.BOOL)
        answer = graph.node("Cast", [there], to=TensorProto.FLOAT)
    if hasattr(reader, "_tfidf"):
        answer = _weighed(graph, reader._tfidf, answer, np.float32)
    elif not hasattr(reader, "vocabulary_"):
        answer = _normed(graph, answer, reader.norm, np.float32)
    finish(graph, answer, {"texts": operator.inputs[0].full_name}, operator, scope, container)


def _counted(graph: GraphWriter, reader: Any, found: str) -> str:
    """How often each n-gram of the vocabulary occurs."""
    grams = sorted((len(gram), gram, place) for gram, place in _vocabulary(reader))
    least, most = sklearn_tokens.lengths(reader)
    sizes = np.array([size for size, *_ in grams])
    starts = [int(sizes[sizes < length].sum()) for length in range(1, max(most, sizes[-1]) + 1)]
    return graph.node(
        "TfIdfVectorizer",
        [found],
        mode="TF",
        min_gram_length=least,
        max_gram_length=most,
        max_skip_count=0,
        ngram_counts=starts,
        ngram_indexes=[int(place) for *_, place in grams],
        pool_strings=[token for _, gram, _ in grams for token in gram],
    )


def _vocabulary(reader: Any) -> list[tuple[tuple[str, ...], int]]:
    """The tokens of each n-gram, and its column; ConvertError if tokens hold the blanks between them."""
    known = reader.vocabulary_.items()
    if reader.analyzer != "word":
        return [(tuple(gram), place) for gram, place in known]
    if tuple(reader.ngram_range) == (1, 1):
        return [((gram,), place) for gram, place in known]
    split = reader.build_tokenizer()
    for gram, _ in known:
        if any(" " in token for token in split(gram)):
            raise ConvertError(
                f"{type(reader).__name__} has n-grams like {gram!r}, whose tokens may hold blanks "
                f"(token_pattern={reader.token_pattern!r}), so what they are of is not clear; take "
                "ngram_range=(1, 1), or a pattern that matches no blank"
            )
    return [(tuple(gram.split(" ")), place) for gram, place in known]


def _hashed(graph: GraphWriter, reader: Any, found: str) -> str:
    """How often n-grams occur that have the same hash, or how much more often those of positive hashes."""
    columns, adds = [], []
    for texts, is_there in sklearn_tokens.joined(graph, reader, found):
        bits = graph.node("MurmurHash3", [texts], domain=sklearn_tokens.MICROSOFT, positive=0, seed=0)
        hashed = graph.node("Cast", [bits], to=TensorProto.INT64)
        size = graph.node("Abs", [hashed])
        columns.append(graph.node("Mod", [size, graph.unnamed(np.array(reader.n_features))]))
        add = graph.node("Cast", [is_there], to=TensorProto.FLOAT)
        if reader.alternate_sign and not reader.binary:
            is_negative = graph.node("Less", [hashed, graph.unnamed(np.array(0))])
            add = graph.node("Where", [is_negative, graph.node("Neg", [add]), add])
        adds.append(add)
    batch = graph.node("Shape", [found], start=0, end=1)
    shape = graph.node("Concat", [batch, graph.unnamed(np.array([reader.n_features]))], axis=0)
    empty = graph.node("Expand", [graph.unnamed(np.zeros((1, 1), np.float32)), shape])
    indices, updates = (graph.node("Concat", rows, axis=1) for rows in (columns, adds))
    return graph.node("ScatterElements", [empty, indices, updates], axis=1, reduction="add")


def _weighed(graph: GraphWriter, model: Any, counts: str, kind: type[np.floating[Any]] = np.float64) -> str:
    """Counts by how rare what they count is, rows of length 1."""
    if model.sublinear_tf:
        nothing, one = (graph.unnamed(np.array(number, kind)) for number in (0, 1))
        is_none = graph.node("Equal", [counts, nothing])
        logarithm = graph.node("Log", [graph.node("Where", [is_none, one, counts])])
        counts = graph.node("Where", [is_none, nothing, graph.node("Add", [logarithm, one])])
    if model.use_idf:
        counts = graph.node("Mul", [counts, graph.unnamed(model.idf_[None].astype(kind))])
    return _normed(graph, counts, model.norm, kind)


def _normed(graph: GraphWriter, rows: str, norm: str | None, kind: type[np.floating[Any]]) -> str:
    """Rows of length 1 by that norm; rows of zeros stay what they are."""
    if norm is None:
        return rows
    axis = graph.unnamed(np.array([1]))
    length = graph.node({"l1": "ReduceL1", "l2": "ReduceL2"}[norm], [rows, axis], keepdims=1)
    is_none = graph.node("Equal", [length, graph.unnamed(np.array(0, kind))])
    return graph.node("Div", [rows, graph.node("Where", [is_none, graph.unnamed(np.array(1, kind)), length])])
