"""Chainer, which is no longer maintained: chains through the exporter that it ships."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.places import place_of
from sardonyx.convert.frameworks.pickles import unpickled

OPSET = 11
UNKNOWN = re.compile(r"(\w+) is not supported")


def load(source: str, request: Request) -> Any:
    """The chain of a pickle; Chainer's own files hold weights alone."""
    model = None if _is_archive(source) else unpickled(source)
    if callable(model) or isinstance(model, tuple):
        return model
    raise ConvertError(
        f"{source} holds weights, not a network; give package.module:function, which builds the chain, loads "
        "its weights, and returns it, or it with example inputs"
    )


def _is_archive(source: str) -> bool:
    """NumPy's or HDF5's, which hold arrays alone."""
    with Path(source).open("rb") as file:
        return file.read(8).startswith((b"PK", b"\x89HDF\r\n\x1a\n"))


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a chain, or one with its example inputs; its sizes but the batch are those of the inputs."""
    import chainer
    import onnx_chainer

    given: tuple[Any, ...] = ()
    if isinstance(model, tuple):
        model, given = model[0], model[1:]
    tensors.refuse_uncallable("Chainer", model)
    called = getattr(model, "forward", None) or model.__call__
    names = tensors.names_of(called, len(given))
    feeds, drawn = tensors.chosen(request, names, tensors.beside(names, given))
    tensors.refuse_missing(called, feeds)
    axes = tensors.free_axes(feeds, request.dynamic or ("batch",))
    shapes = [
        tuple(axes[name].get(axis, size) for axis, size in enumerate(part.shape))
        for name, part in feeds.items()
    ]
    with chainer.using_config("train", False):
        try:
            outputs = tensors.answer_names(_answer(model, feeds))
            onnx_chainer.export(
                model,
                tuple(feeds.values()),
                filename=str(path),
                opset_version=min(request.opset or OPSET, OPSET),
                input_names=list(feeds),
                input_shapes=shapes,
                output_names=list(outputs),  # without names it puts several in an order of its own
            )
        except Exception as error:
            raise ConvertError(_refusal(error, model, feeds)) from error
        parts = tensors.other_sizes(feeds, axes, drawn=drawn)
        cases = tensors.asked(parts, lambda part: _answered(model, part), drawn=drawn)
    return Exported(path, cases, drawn, batch=False, axes=axes)


def _refusal(error: Exception, model: Any, feeds: Feeds) -> str:
    """What the exporter says, as a sentence; a function that it does not know with the line that calls it."""
    said = " ".join(str(error).split())[:300]
    found = UNKNOWN.search(said)
    if not found:
        return f"Chainer cannot export it ({type(error).__name__}: {said})"
    return (
        f"Chainer's function {found[1]} has no ONNX form{_place(found[1], model, feeds)}; replace it by "
        "others, or export a chain that leaves it out and compute it outside"
    )


def _place(function: str, model: Any, feeds: Feeds) -> str:
    import chainer

    places: list[str] = []

    class Finder(chainer.FunctionHook):  # type: ignore[misc]
        def forward_preprocess(self, called: Any, parts: Any) -> None:
            if type(called).__name__ == function:
                places.append(place_of("".join(traceback.format_stack())))

    with Finder():
        _answer(model, feeds)
    return next(iter(places), "")


def _answer(model: Any, feeds: Feeds) -> Any:
    import chainer

    with chainer.no_backprop_mode():
        return model(*map(chainer.Variable, feeds.values()))


def _answered(model: Any, feeds: Feeds) -> list[Array]:
    answer = _answer(model, feeds)
    parts = (
        answer.values()
        if isinstance(answer, dict)
        else answer
        if isinstance(answer, list | tuple)
        else [answer]
    )
    return [np.asarray(part.array) for part in parts]
