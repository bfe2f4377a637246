"""What scikit-learn's readers of texts make tokens of, as nodes: words or characters, n-grams within rows.

Decides how an analyzer is written; must not know what is counted. Tokens are rows [batch, count] in which ""
stands between words and behind the last token, so that it is part of no n-gram.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import ConvertError

MICROSOFT = "com.microsoft"
OPSET = 20
"""Texts are joined and matched from it on."""
FRAMED = 3
"""Characters of the shortest word between its blanks."""


def refuse(reader: Any, opset: int) -> None:
    """ConvertError if what makes its tokens has no ONNX form."""
    name = type(reader).__name__
    for given in ("preprocessor", "tokenizer", "analyzer"):
        if callable(getattr(reader, given)):
            raise ConvertError(
                f"{name} calls a function of yours ({given}={_named(getattr(reader, given))}), which has no "
                "ONNX form; give it 'word', 'char' or 'char_wb' and a token_pattern, or call the function in "
                "front of the model"
            )
    if reader.strip_accents is not None:
        raise ConvertError(
            f"{name} strips accents (strip_accents={reader.strip_accents!r}), which ONNX cannot; strip them "
            "in front of the model"
        )
    if reader.input != "content":
        raise ConvertError(
            f"{name} reads files (input={reader.input!r}), which ONNX cannot; give it their contents"
        )
    if reader.analyzer == "word" and reader.build_tokenizer().__self__.groups:
        raise ConvertError(
            f"{name} keeps only a group of what its token_pattern {reader.token_pattern!r} matches, which "
            "ONNX cannot; write a pattern whose whole match is the token"
        )
    if opset < OPSET:
        raise ConvertError(f"{name} needs opset {OPSET}; {opset} was asked for")


def _named(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def tokens(graph: GraphWriter, reader: Any, texts: str) -> str:
    """The tokens of texts [batch, 1]; no texts have none."""
    flat = graph.node("Reshape", [texts, graph.unnamed(np.array([-1]))])
    first, one = graph.unnamed(np.array([0])), graph.unnamed(np.array([1]))
    count = graph.node("Shape", [flat])
    more = graph.node("Concat", [flat, graph.unnamed(np.array([""], object))], axis=0)
    some = graph.node("Slice", [more, first, graph.node("Max", [count, one])])  # Tokenizer needs a text
    if reader.lowercase:
        some = graph.node("StringNormalizer", [some], case_change_action="LOWER")
    return graph.node("Slice", [_tokens(graph, reader, some), first, count])


def _tokens(graph: GraphWriter, reader: Any, texts: str) -> str:
    if reader.analyzer == "word":
        return _words(graph, reader, texts)
    return _framed(graph, texts) if reader.analyzer == "char_wb" else _characters(graph, texts)


def _matches(graph: GraphWriter, texts: str, pattern: str) -> str:
    return graph.node(
        "Tokenizer", [texts], domain=MICROSOFT, tokenexp=pattern, pad_value="", mark=0, mincharnum=1
    )


def _characters(graph: GraphWriter, texts: str) -> str:
    """Characters; several white ones are a blank."""
    found = _matches(graph, texts, r"\s\s+|[\s\S]")
    is_run = graph.node("RegexFullMatch", [found], pattern=r"\s\s+")
    return graph.node("Where", [is_run, _text(graph, " "), found])


def _framed(graph: GraphWriter, texts: str) -> str:
    """The characters of each word between two blanks, a word behind the other."""
    words = _matches(graph, texts, r"\S+")
    blank, nothing = _text(graph, " "), _text(graph, "")
    framed = graph.node("StringConcat", [graph.node("StringConcat", [blank, words]), blank])
    kept = graph.node("Where", [graph.node("Equal", [words, nothing]), nothing, framed])
    rows = graph.node("Reshape", [kept, graph.unnamed(np.array([-1]))])
    characters = _matches(graph, rows, ".")
    count = graph.node("Unsqueeze", [graph.node("Size", [rows]), graph.unnamed(np.array([0]))])
    shape = graph.node("Concat", [count, graph.unnamed(np.array([1]))], axis=0)
    apart = graph.node("Concat", [characters, graph.node("Expand", [nothing, shape])], axis=1)
    batch = graph.node("Shape", [words], start=0, end=1)
    return graph.node(
        "Reshape", [apart, graph.node("Concat", [batch, graph.unnamed(np.array([-1]))], axis=0)]
    )


def _words(graph: GraphWriter, reader: Any, texts: str) -> str:
    """What the pattern matches, without stop words."""
    found = _matches(graph, texts, pattern_of(reader))
    stop = reader.get_stop_words()
    if not stop:
        return found
    is_stop = graph.node(
        "LabelEncoder",
        [found],
        domain="ai.onnx.ml",
        keys_strings=["", *sorted(stop - {""})],
        values_int64s=[1] * len({"", *stop}),
        default_int64=0,
    )
    nothing = graph.node("Cast", [is_stop], to=TensorProto.BOOL)
    return _moved_up(graph, graph.node("Where", [nothing, _text(graph, ""), found]), is_stop)


def _moved_up(graph: GraphWriter, words: str, is_gone: str) -> str:
    """Words in their order, those that are gone (1, not 0) behind all others."""
    width = graph.node("Shape", [words], start=1, end=2)
    count = graph.node("Squeeze", [width])
    places = graph.node("Range", [graph.unnamed(np.array(0)), count, graph.unnamed(np.array(1))])
    keys = graph.node("Add", [places, graph.node("Mul", [is_gone, count])])
    _, order = graph.several("TopK", [keys, width], [f"{keys} sorted", f"{keys} order"], axis=1, largest=0)
    return graph.node("GatherElements", [words, order], axis=1)


def pattern_of(reader: Any) -> str:
    """The pattern of its words: texts are of Unicode without a flag that says so."""
    pattern = str(reader.token_pattern).removeprefix("(?u)")
    return r"\w\w+" if pattern == r"\b\w\w+\b" else pattern


def lengths(reader: Any) -> tuple[int, int]:
    """The least and greatest count of tokens in its n-grams; words shorter than an n-gram are one whole."""
    least, most = reader.ngram_range
    return (min(least, FRAMED) if reader.analyzer == "char_wb" else least), most


def joined(graph: GraphWriter, reader: Any, found: str) -> list[tuple[str, str]]:
    """For each length, the n-grams that begin at each token, as texts, and whether there is one."""
    there = graph.node("Not", [graph.node("Equal", [found, _text(graph, "")])])
    between = " " if reader.analyzer == "word" else ""
    (least, most), whole = lengths(reader), reader.ngram_range[0]
    made = []
    for length in range(least, most + 1):
        parts = _shifted(graph, found, length)
        text, *rest = parts
        for part in rest:
            text = graph.node("StringConcat", [text, _text(graph, between)]) if between else text
            text = graph.node("StringConcat", [text, part])
        is_gram, *others = _shifted(graph, there, length)
        for other in others:
            is_gram = graph.node("And", [is_gram, other])
        for end in (parts[0], parts[-1]) if length < whole else ():
            is_gram = graph.node("And", [is_gram, graph.node("Equal", [end, _text(graph, " ")])])
        made.append((text, is_gram))
    return made


def _shifted(graph: GraphWriter, value: str, length: int) -> list[str]:
    """Columns 0, 1, ... of each window of so many."""
    ends = [*range(1 - length, 0), np.iinfo(np.int64).max]
    return [
        graph.node("Slice", [value, *(graph.unnamed(np.array([at])) for at in (start, end, 1))])
        for start, end in enumerate(ends)
    ]


def _text(graph: GraphWriter, text: str) -> str:
    return graph.unnamed(np.array([[text]], object))
