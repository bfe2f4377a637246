"""Inputs of networks: tensors by name from a sample, a stated shape, or drawn; and which axes are free.

Shared by the frameworks for networks; must not know any of them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.base.digits import lost_digits
from sardonyx.convert.framework import Array, Case, ConvertError, Feeds, Request, dice
from sardonyx.convert.words import FIXED, SAMPLE, an_input

STATED = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<shape>[\d,x ]*)(?::(?P<dtype>\w+))?")
LARGEST_ID = 2


@dataclass(frozen=True)
class Tensor:
    """An input: its name, shape (None where any size will do) and type; integers are below `limit`."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    limit: int = LARGEST_ID

    def drawn(self, sizes: Mapping[int, int], random: np.random.Generator) -> Array:
        """Random content; `sizes` are those of free axes."""
        shape = [sizes.get(axis, size or 1) for axis, size in enumerate(self.shape)]
        try:
            kind = np.dtype(self.dtype)
        except TypeError:
            raise ConvertError(
                f"the input {self.name} is of type {self.dtype}, which no ONNX network takes; export the "
                "part of the model that takes numbers, and look up or split texts outside"
            ) from None
        if kind.kind == "b":
            return np.ones(shape, bool)
        if kind == np.uint8:
            return random.integers(0, 256, shape).astype(kind)
        if kind.kind in "iu":
            return random.integers(0, self.limit, shape).astype(kind)
        return random.normal(size=shape).astype(kind)


def stated(request: Request) -> list[Tensor]:
    """The inputs that the user stated as NAME=SHAPE:TYPE."""
    return [_stated(text, at) for at, text in enumerate(request.options.get("inputs", ()))]


def _stated(text: str, at: int) -> Tensor:
    found = STATED.fullmatch(text.strip())
    if found is None:
        raise ConvertError(f"the input {text!r} is not understood; write x=1,3,224,224 or ids=1,16:int64")
    try:
        dtype = np.dtype(found["dtype"] or "float32").name
    except TypeError:
        raise ConvertError(f"the input {text!r} has a type that numpy does not know") from None
    sizes = [int(size) for size in re.split(r"[,x ]+", found["shape"].strip()) if size]
    return Tensor((found["name"] or f"{at}").strip(), tuple(sizes), dtype)


def sampled(sample: Mapping[str, Array], names: Sequence[str]) -> Feeds:
    """The sample under the names of inputs: by name if it has them, else in order."""
    is_named = all(name in names for name in sample)
    if not is_named and all(
        name == "" or name.isdecimal() or re.fullmatch(r"arr_\d+", name) for name in sample
    ):
        if len(sample) > len(names):
            raise ConvertError(
                f"the sample has {len(sample)} inputs, the model {len(names)}: {', '.join(names)}"
            )
        return {name: np.ascontiguousarray(part) for name, part in zip(names, sample.values(), strict=False)}
    _refuse_strange("the sample has", sample, names)
    return {name: np.ascontiguousarray(sample[name]) for name in names if name in sample}


def _refuse_strange(who: str, given: Iterable[str], names: Sequence[str]) -> None:
    strange = [name for name in given if name not in names]
    if strange:
        raise ConvertError(f"{who} {strange[0]!r}, which is not an input; the inputs are {', '.join(names)}")


def chosen(
    request: Request,
    names: Sequence[str],
    beside: Feeds,
    *,
    example: str = "1,3,224,224",
    otherwise: str = "",
) -> tuple[Feeds, bool]:
    """What a network is exported on, and whether it was drawn.

    The sample, or what came beside the model, or numbers of the stated shapes. ConvertError says how to state
    one such as `example`, or what to do `otherwise`.
    """
    if request.sample is not None:
        return sampled(request.sample, names or list(request.sample)), False
    if beside:
        return beside, False
    found = renamed(stated(request), names)
    if not found:
        which = f"the shapes of its inputs ({', '.join(names)})" if names else "its inputs"
        first = names[0] if names else "x"
        raise ConvertError(
            f"{which} are not known; give {SAMPLE} or {an_input(f'{first}={example}')}{otherwise}"
        )
    return drawn(found), True


def names_of(function: Any, count: int) -> list[str]:
    """Names of the inputs that a function takes by place, of `count` at least where it takes any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return [f"x{at}" for at in range(count)]
    names = [row.name for row in parameters if row.kind in (row.POSITIONAL_OR_KEYWORD, row.POSITIONAL_ONLY)]
    if any(row.kind is row.VAR_POSITIONAL for row in parameters):
        names += [f"x{at}" for at in range(len(names), count)]
    return names


def beside(names: Sequence[str], given: Sequence[Any] | Mapping[str, Any]) -> Feeds:
    """The example inputs that came with a network, in order or by name.

    ConvertError if there are more than it takes, or one is no array of numbers.
    """
    parts = given if isinstance(given, Mapping) else dict(zip(names, given, strict=False))
    strange = [name for name in parts if name not in names]
    if strange or len(given) > len(names):
        which = f" ({', '.join(names)})" if names else ""
        told = f"{strange[0]!r} is" if strange else f"{len(given)} are"
        raise ConvertError(
            f"of the example inputs {told} not among what the model takes: {len(names)} inputs{which}; "
            "give one for each of those"
        )
    return {name: _array(name, part) for name, part in parts.items()}


def refuse_missing(function: Any, given: Feeds) -> None:
    """ConvertError if fewer inputs are given than a function takes without a default."""
    try:
        rows = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return
    taken = [row for row in rows if row.kind not in (row.VAR_POSITIONAL, row.VAR_KEYWORD)]
    needed = [row.name for row in taken if row.default is row.empty]
    absent = [name for name in needed if name not in given]
    if absent and len(given) < len(needed):
        raise ConvertError(
            f"there is no example of {' and '.join(absent)}: the model takes {len(taken)} inputs "
            f"({', '.join(row.name for row in taken)}); give one for each of those"
        )


def _array(name: str, part: Any) -> Array:
    is_nested = isinstance(part, Mapping) or (
        isinstance(part, list | tuple) and any(hasattr(inner, "shape") for inner in part)
    )
    try:
        array = (
            part.detach().cpu().numpy()
            if hasattr(part, "detach")
            else np.asarray(None if is_nested else part)
        )
    except (ValueError, TypeError):
        array = np.asarray(None)
    if array.dtype.kind in "OSU":
        kind = f" of {part.dtype}" if hasattr(part, "detach") else ""
        raise ConvertError(
            f"the example input {name} is a {type(part).__name__}{kind}, and ONNX takes arrays of numbers; "
            "if it holds weights, let the function return a callable that has them inside; else one that "
            "takes each array as an input of its own"
        )
    return array


def place(path: Iterable[Any]) -> tuple[str | int, ...]:
    """Where a part of a nested answer stands, of the steps to it as trees of PyTorch and JAX have them."""
    steps = (getattr(s, "key", getattr(s, "idx", getattr(s, "name", s))) for s in path)
    return tuple(step if isinstance(step, int) else str(step) for step in steps)


def output_names(places: Sequence[Sequence[str | int]]) -> tuple[str, ...]:
    """What outputs at these places of an answer are called: by its keys, else `output` and a number."""
    several = len(places) > 1
    named = [_from_key(steps) for steps in places]
    names = [
        "_".join(map(str, steps)) or (f"output_{at}" if several else "output")
        for at, steps in enumerate(named)
    ]
    is_clear = len(set(names)) == len(names)
    return tuple(names) if is_clear else tuple(f"output_{at}" for at in range(len(names)))


def _from_key(steps: Sequence[str | int]) -> Sequence[str | int]:
    """The steps from the first that is a key; none of numbers alone."""
    at = next((at for at, step in enumerate(steps) if isinstance(step, str)), len(steps))
    return steps[at:]


def answer_names(answer: Any) -> tuple[str, ...]:
    """What the parts of an answer are called that is a dictionary, a sequence, or one part."""
    if isinstance(answer, Mapping):
        return output_names([(str(name),) for name in answer])
    return output_names([(at,) for at in range(len(answer))] if isinstance(answer, list | tuple) else [()])


def refuse_uncallable(framework: str, model: Any) -> None:
    """ConvertError for what is no network, or one that takes nothing."""
    if not callable(model):
        raise ConvertError(
            f"an object of class {type(model).__name__} is no function or module of {framework} that can be "
            "called; let the function return the network itself, not what it answers"
        )
    try:
        parameters = inspect.signature(model).parameters
    except (TypeError, ValueError):
        return
    if not parameters:
        raise ConvertError(
            f"{getattr(model, '__name__', type(model).__name__)} of {framework} takes no input, so that its "
            "answer is a constant; give one that takes what changes"
        )


def refuse_several(folder: Path, networks: Iterable[Path]) -> None:
    """ConvertError for a folder of more than one network."""
    names = [network.name for network in networks]
    if len(names) > 1:
        raise ConvertError(f"{folder} holds {len(names)} networks, {', '.join(names)}; give one of the files")


def free_axes(feeds: Feeds, dynamic: Sequence[str]) -> dict[str, dict[int, str]]:
    """The free axes of each input with their names; `_` names none."""
    named = [(axis, name) for axis, name in enumerate(dynamic) if name != "_"]
    return {key: {axis: name for axis, name in named if axis < array.ndim} for key, array in feeds.items()}


def at_least_two(feeds: Feeds) -> Feeds:
    """Inputs of one row with that row twice: tracers take a size of 1 for a constant."""
    sizes = {array.shape[0] for array in feeds.values() if array.ndim}
    if sizes != {1}:
        return feeds
    return {name: np.repeat(array, 2, 0) if array.ndim else array for name, array in feeds.items()}


def other_sizes(feeds: Feeds, axes: Mapping[str, Mapping[int, str]], *, drawn: bool) -> list[Feeds]:
    """The inputs, and others of other sizes along the free axes: one row alone, three, longer ones."""
    cases = [feeds]
    if any(0 in free for free in axes.values()):
        cases.append({name: array[:1] if 0 in axes.get(name, {}) else array for name, array in feeds.items()})
    if drawn and any(axes.values()):
        cases.append({name: _longer(array, axes.get(name, {})) for name, array in feeds.items()})
    return cases


def _longer(array: Array, free: Mapping[int, str]) -> Array:
    for axis in free:
        times = 3 if axis == 0 else 2
        array = np.concatenate([np.roll(array, shift, 0) for shift in range(times)], axis)
        array = array[(slice(None),) * axis + (slice(0, 3),)] if axis == 0 else array
    return np.ascontiguousarray(array)


def asked(parts: Sequence[Feeds], call: Callable[[Feeds], list[Array]], *, drawn: bool) -> list[Case]:
    """What the framework answers to each of these inputs; ConvertError if it cannot, with what to do."""
    cases = []
    for at, feeds in enumerate(parts):
        try:
            cases.append(Case(feeds, call(feeds)))
        except Exception as error:
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in feeds.items())
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            if at:
                what, do = (
                    "other sizes of its free axes",
                    f"keep an axis fixed with _, as {FIXED}",
                )
            elif drawn:
                what, do = "inputs drawn at random", f"give {SAMPLE} or {an_input('NAME=SHAPE')}"
            else:
                what, do = "the sample", "give inputs that it takes"
            raise ConvertError(f"the model itself fails on {what} ({shapes}): {said}; {do}") from error
    return cases


def drawn(tensors: Sequence[Tensor]) -> Feeds:
    """Random content for every input."""
    random = dice()
    return {tensor.name: tensor.drawn({}, random) for tensor in tensors}


def renamed(tensors: Sequence[Tensor], names: Sequence[str]) -> list[Tensor]:
    """Nameless ones under the names of the model's inputs in order."""
    return [
        replace(tensor, name=names[at]) if tensor.name.isdecimal() and at < len(names) else tensor
        for at, tensor in enumerate(tensors)
    ]


def cases_of(
    specs: Sequence[Tensor], request: Request
) -> tuple[list[Feeds], dict[str, dict[int, str]], bool]:
    """Inputs to compare on, the free axes (sizes of None), and whether the inputs were drawn.

    Shapes that the user stated win; without a sample, free axes get several sizes, but those that `_` fixes.
    """
    names = [spec.name for spec in specs]
    known = {tensor.name: tensor for tensor in renamed(stated(request), names)}
    _refuse_strange("stated was", known, names)
    axes = {spec.name: _named_axes(spec, request) for spec in specs}
    free = {spec.name: [axis for axis, size in enumerate(spec.shape) if size is None] for spec in specs}
    if request.sample is not None:
        feeds = sampled(request.sample, names)
        feeds = {spec.name: feeds[spec.name].astype(spec.dtype) for spec in specs if spec.name in feeds}
        return other_sizes(feeds, axes, drawn=False), axes, False
    random = dice()
    cases: list[Feeds] = []
    for batch, size in ((2, 32), (1, 32), (3, 48)):
        cases.append({})
        for spec in specs:
            given = known[spec.name].shape if spec.name in known else spec.shape
            sizes = {axis: given[axis] or (32 if axis else 1) for axis in free[spec.name]}
            sizes |= {axis: batch if axis == 0 else given[axis] or size for axis in axes[spec.name]}
            cases[-1][spec.name] = spec.drawn(sizes, random)
    return cases if any(axes.values()) else cases[:1], axes, True


def rounded(specs: Sequence[Tensor], request: Request) -> tuple[str, ...]:
    """A note for each input of the sample with numbers that its type does not hold."""
    if request.sample is None:
        return ()
    given = sampled(request.sample, [spec.name for spec in specs])
    told = {spec.name: _lost(given[spec.name], spec.dtype) for spec in specs if spec.name in given}
    return tuple(f"{name} of the sample: {said}" for name, said in told.items() if said)


def _lost(numbers: Array, dtype: str) -> str:
    """What becomes of the first number that a type changes: of whole ones alone if that holds floats."""
    kind = np.dtype(dtype)
    if numbers.dtype.kind not in "iuf":
        return ""
    if kind.kind == "f":
        return lost_digits(numbers, kind)
    if kind.kind not in "iu":
        return ""
    with np.errstate(invalid="ignore"):
        changed = numbers != numbers.astype(kind)
        first = numbers[changed][:1]
        return f"{first[0]} becomes {first.astype(kind)[0]} in {dtype}" if len(first) else ""


def _named_axes(spec: Tensor, request: Request) -> dict[int, str]:
    names = dict(enumerate(request.dynamic)) or {0: "batch"}
    named = {
        axis: names.get(axis, f"{spec.name}_{axis}") for axis, size in enumerate(spec.shape) if size is None
    }
    return {axis: name for axis, name in named.items() if name != "_"}
