"""JAX: functions, modules of Flax and Equinox, with example inputs, through jax2onnx."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.places import place_of

OPSET = 23
PRIMITIVE = re.compile(r"primitive:? ['\"`]?([A-Za-z_]\w*)")
CONCRETE = ("TracerBoolConversionError", "TracerIntegerConversionError", "ConcretizationTypeError")
SUMMARY = re.compile(r"(\S+?:\d+)(?::\d+)* \(([^)]+)\)")
SOURCE = re.compile(f"# {SUMMARY.pattern}")


def load(source: str, request: Request) -> Any:
    """JAX has no files of models."""
    raise ConvertError(
        f"{source}: JAX saves parameters, not models; give package.module:function, which returns the "
        "function or module, or it with example inputs"
    )


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a callable, or one with its example inputs."""
    import jax2onnx

    given: tuple[Any, ...] = ()
    if isinstance(model, tuple):
        model, given = model[0], model[1:]
    tensors.refuse_uncallable("JAX", model)
    names = tensors.names_of(model, len(given))
    beside = tensors.beside(names, given)
    how = ", or let the function return (callable, inputs)"
    feeds, drawn = tensors.chosen(request, names, beside, example="1,224,224,3", otherwise=how)
    tensors.refuse_missing(model, feeds)
    axes = tensors.free_axes(feeds, request.dynamic or ("batch",))
    notes = _write(jax2onnx, model, feeds, axes, request, path)
    if notes:
        axes = {name: {} for name in feeds}
    parts = tensors.other_sizes(feeds, axes, drawn=drawn)
    cases = tensors.asked(parts, lambda part: _answered(model, part), drawn=drawn)
    return Exported(
        path, cases, drawn, outputs=_output_names(model, feeds), batch=False, axes=axes, notes=notes
    )


def _write(
    jax2onnx: Any, model: Any, feeds: Feeds, axes: dict[str, dict[int, str]], request: Request, path: Path
) -> tuple[str, ...]:
    """Write the file; a note if its batch had to be fixed."""
    import jax

    def write(free: dict[str, dict[int, str]]) -> None:
        jax2onnx.to_onnx(
            model,
            inputs=[_spec(jax, array, free[name]) for name, array in feeds.items()],
            input_names=list(feeds),
            opset=request.opset or OPSET,
            return_mode="file",
            output_path=str(path),
        )

    try:
        write(axes)
        return ()
    except Exception as first:
        said = f"{type(first).__name__}: {' '.join(str(first).split())[:300]}"
        if request.dynamic:
            raise ConvertError(_refusal(first, model, feeds)) from first
    try:
        write({name: {} for name in feeds})
    except Exception as error:
        raise ConvertError(_refusal(error, model, feeds)) from error
    return (f"all sizes are fixed: {said}",)


def _refusal(error: Exception, model: Any, feeds: Feeds) -> str:
    """What jax2onnx says, which operator it was at, and where in the user's code that comes from."""
    said = " ".join(str(error).split())[:300] or type(error).__name__
    missing = PRIMITIVE.search(said)
    do = "; replace it by others, or export a function that leaves it out and compute it outside"
    if missing:
        return f"JAX's operator {missing[1]} has no ONNX form{_place(missing[1], model, feeds)}{do}"
    if type(error).__name__ in CONCRETE:
        where = place_of("".join(traceback.format_exception(error)))
        return (
            f"the function's Python code decides by the content of an array{where}; write that with "
            "jax.numpy.where or jax.lax.cond"
        )
    equations = _equations(error)
    if not equations:
        return f"jax2onnx cannot convert it ({type(error).__name__}: {said})"
    name = equations[-1].primitive.name
    places = (place for equation in reversed(equations) if (place := _summary(equation)))
    where = next(places, "") or _place(name, model, feeds)
    return f"jax2onnx cannot convert JAX's operator {name}{where} ({type(error).__name__}: {said}){do}"


def _equations(error: BaseException) -> list[Any]:
    """The equations that a converter was at, the innermost last, seen in the frames of what it raised."""
    frames: list[Any] = []
    cause: BaseException | None = error
    while cause is not None and len(frames) < 500:
        frames = [*frames, *(frame for frame, _ in traceback.walk_tb(cause.__traceback__))]
        cause = cause.__cause__ or cause.__context__
    found = (frame.f_locals.get("eqn") for frame in frames)
    return [equation for equation in found if hasattr(getattr(equation, "primitive", None), "name")]


def _summary(equation: Any) -> str:
    """Where an equation comes from, as JAX tells it: file:line:column (function)."""
    try:
        from jax._src.source_info_util import summarize

        found = SUMMARY.match(summarize(equation.source_info))
    except Exception:  # not where JAX keeps it
        return ""
    return f", in {found[2]} ({found[1]})" if found else ""


def _place(primitive: str, model: Any, feeds: Feeds) -> str:
    import jax

    try:
        text = jax.make_jaxpr(model)(*feeds.values()).pretty_print(source_info=True)
    except Exception:  # no place is known then
        return ""
    equation = re.compile(rf" = {re.escape(primitive)}\b")
    places = (SOURCE.search(line) for line in text.splitlines() if equation.search(line))
    return next((f", in {place[2]} ({place[1]})" for place in places if place), "")


def _spec(jax: Any, array: Array, free: dict[int, str]) -> Any:
    shape = [free.get(axis, size) for axis, size in enumerate(array.shape)]
    if array.dtype == np.float32:
        return tuple(shape)
    if any(isinstance(size, str) for size in shape):
        scope = jax.export.SymbolicScope()
        shape = list(jax.export.symbolic_shape(", ".join(map(str, shape)), scope=scope))
    return jax.ShapeDtypeStruct(tuple(shape), array.dtype)


def _answered(model: Any, feeds: Feeds) -> list[Array]:
    return [np.asarray(part) for _, part in _leaves(model, feeds)]


def _output_names(model: Any, feeds: Feeds) -> tuple[str, ...]:
    return tensors.output_names([tensors.place(path) for path, _ in _leaves(model, feeds)])


def _leaves(model: Any, feeds: Feeds) -> list[tuple[Any, Any]]:
    """The arrays that it answers, each after the steps to it."""
    import jax

    answer = model(*(jax.numpy.asarray(part) for part in feeds.values()))
    leaves: list[tuple[Any, Any]] = jax.tree_util.tree_flatten_with_path(answer)[0]
    return leaves
