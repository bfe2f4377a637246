"""Chainer, which is no longer maintained: chains through the exporter that it ships."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, Case, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors

OPSET = 11


def load(source: str, request: Request) -> Any:
    """Chainer's files hold weights alone."""
    raise ConvertError(
        f"{source}: Chainer's files hold weights, not networks; give package.module:function, which builds "
        "the chain, loads its weights, and returns it, or it with example inputs"
    )


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a chain, or one with its example inputs; its sizes but the batch are those of the inputs."""
    import chainer
    import onnx_chainer

    given: tuple[Any, ...] = ()
    if isinstance(model, tuple):
        model, given = model[0], model[1:]
    function = getattr(model, "forward", None) or model.__call__
    names = [row.name for row in inspect.signature(function).parameters.values()]
    beside = {name: np.asarray(part) for name, part in zip(names, given, strict=False)}
    feeds, drawn = tensors.chosen(request, names, beside)
    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in feeds}
    shapes = [("batch", *part.shape[1:]) for part in feeds.values()]
    with chainer.using_config("train", False):
        try:
            onnx_chainer.export(
                model,
                tuple(feeds.values()),
                filename=str(path),
                opset_version=min(request.opset or OPSET, OPSET),
                input_names=list(feeds),
                input_shapes=shapes,
            )
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise ConvertError(f"Chainer cannot export it ({type(error).__name__}: {said})") from error
        parts = tensors.other_sizes(feeds, axes, drawn=drawn)
        cases = [Case(part, _answered(model, part)) for part in parts]
    return Exported(path, cases, drawn, batch=False, axes=axes)


def _answered(model: Any, feeds: Feeds) -> list[Array]:
    import chainer

    with chainer.no_backprop_mode():
        answer = model(*feeds.values())
    parts = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, tuple) else [answer]
    return [np.asarray(part.array) for part in parts]
