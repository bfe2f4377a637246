"""PyTorch: modules, functions that return one, exported programs; through torch.onnx.

Decides which exporter is asked and with which free axes; the older one only where the newer gives up.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, Case, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.torch_refusals import depends_on_data, refusal
from sardonyx.convert.words import SAMPLE

OPSET = 20
Axes = Mapping[str, Mapping[int, str]]


def load(source: str, request: Request) -> Any:
    """An exported program, or the module of a pickle."""
    import torch

    if _is_program(source):
        try:
            return torch.export.load(source)
        except Exception as error:
            raise ConvertError(f"{source} cannot be read as an exported program: {error}") from error
    try:
        model = torch.load(source, map_location="cpu", weights_only=False)
    except Exception as error:
        raise ConvertError(
            f"{source} cannot be opened ({type(error).__name__}: {error}); a pickled module needs its class: "
            "give package.module:function, which builds the module and loads its weights"
        ) from error
    if not isinstance(model, torch.nn.Module):
        raise ConvertError(
            f"{source} holds a {type(model).__name__}, not a module; build the module in Python, load its "
            "weights, and give package.module:function, which returns it"
        )
    return model


def _is_program(source: str) -> bool:
    if not zipfile.is_zipfile(source):
        return False
    with zipfile.ZipFile(source) as archive:
        return any(
            name.endswith(("archive_format", "serialized_exported_program.json"))
            for name in archive.namelist()
        )


def export(model: Any, request: Request, path: Path) -> Exported:
    """Export a module, a (module, inputs) pair or an exported program, and ask it for its answers."""
    import torch

    given: tuple[Any, ...] = ()
    if isinstance(model, tuple):
        model, given = model[0], model[1:]
        given = given[0] if len(given) == 1 and isinstance(given[0], tuple) else given
    if isinstance(model, torch.export.ExportedProgram):
        return of_program(model, request, path)
    if not isinstance(model, torch.nn.Module):
        raise ConvertError(
            f"an object of class {type(model).__name__} is neither a torch.nn.Module nor one with its inputs"
        )
    model = model.eval()
    feeds, drawn = _feeds(model, given, request)
    if not request.dynamic or request.dynamic[0] != "_":
        feeds = tensors.at_least_two(feeds)
    axes, notes = write(model, feeds, request, path)
    cases = tensors.other_sizes(feeds, axes, drawn=drawn)
    return Exported(
        path,
        tensors.asked(cases, lambda part: answered(model, part), drawn=drawn),
        drawn,
        outputs=_output_names(model, feeds),
        batch=False,
        axes=axes,
        notes=tuple(notes),
    )


def _feeds(model: Any, given: tuple[Any, ...], request: Request) -> tuple[Feeds, bool]:
    """Inputs by name; those beside the module in the order of forward, the last a dictionary of others."""
    names = tensors.names_of(model.forward, len(given if request.sample is None else request.sample))
    others = _parameters(model, "KEYWORD_ONLY")
    beside = _beside(model, given, names, others) if request.sample is None else {}
    how = ", or let the function return (module, inputs)"
    feeds, drawn = tensors.chosen(request, [*names, *others], beside, otherwise=how)
    tensors.refuse_missing(model.forward, feeds)
    return feeds, drawn


def _beside(model: Any, given: tuple[Any, ...], names: list[str], others: list[str]) -> Feeds:
    last = given[-1] if given else None
    if isinstance(last, Mapping):
        open_names = {*names[len(given) - 1 :], *others}
        if set(last) <= open_names or _parameters(model, "VAR_KEYWORD"):
            return tensors.beside(names, given[:-1]) | tensors.beside([*names, *others, *last], last)
    return tensors.beside(names, given)


def _parameters(model: Any, kind: str) -> list[str]:
    """Names of the parameters of forward that are of a kind."""
    parameters = inspect.signature(model.forward).parameters.values()
    return [row.name for row in parameters if row.kind.name == kind]


def _caller(model: Any) -> Callable[[Mapping[str, Any]], Any]:
    """Calls the module with inputs by name; one that takes any number gets them in order."""
    if _parameters(model, "VAR_POSITIONAL"):
        return lambda inputs: model(*inputs.values())
    return lambda inputs: model(**inputs)


def write(
    model: Any, feeds: Feeds, request: Request, path: Path, known: Axes | None = None
) -> tuple[Axes, list[str]]:
    """Write the ONNX file; its free axes, and notes. Without wishes, the batch is free if it can be.

    `known` are free axes that the framework knows of, if the user wishes no others.
    """
    wanted = (
        known if known and not request.dynamic else tensors.free_axes(feeds, request.dynamic or ("batch",))
    )
    notes: list[str] = []
    try:
        _dynamo(model, feeds, wanted, request, path)
        return wanted, notes
    except Exception as first:
        said = refusal(first, lambda: _program(model, feeds))
        if not depends_on_data(first) and _traced(model, feeds, wanted, request, path):
            notes.append(f"exported by tracing, since torch.export said: {said.splitlines()[0]}")
            return wanted, notes
        if request.dynamic or known or depends_on_data(first):
            raise ConvertError(said) from first
    none: Axes = {name: {} for name in feeds}
    try:
        _dynamo(model, feeds, none, request, path)
    except Exception as error:
        raise ConvertError(refusal(error, lambda: _program(model, feeds))) from error
    size = next(iter(feeds.values())).shape[0] if feeds else 0
    notes.append(f"the batch is fixed to {size}: {said.splitlines()[0]}")
    return none, notes


def _named(model: Any) -> Any:
    """The module with one parameter, its inputs by name: such can be exported whatever its signature is."""
    import torch

    class Named(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model, self.call = model, _caller(model)

        def forward(self, inputs: dict[str, Any]) -> Any:
            return self.call(inputs)

    return Named().eval()


def _program(model: Any, feeds: Feeds) -> Any:
    import torch

    with silent():
        return torch.export.export(_named(model), (), {"inputs": torch_of(feeds)}).run_decompositions()


def _dynamo(model: Any, feeds: Feeds, axes: Axes, request: Request, path: Path) -> None:
    import torch

    names = {name for free in axes.values() for name in free.values()}
    sizes = {name: torch.export.Dim(name) if name.isidentifier() else torch.export.Dim.AUTO for name in names}
    shapes = {name: {axis: sizes[free] for axis, free in axes[name].items()} or None for name in feeds}
    with silent():
        torch.onnx.export(
            _named(model),
            (),
            str(path),
            kwargs={"inputs": torch_of(feeds)},
            dynamo=True,
            dynamic_shapes={"inputs": shapes} if any(shapes.values()) else None,
            input_names=list(feeds),
            opset_version=request.opset or OPSET,
            external_data=_is_large(model),
            verbose=False,
        )


def _traced(model: Any, feeds: Feeds, axes: Axes, request: Request, path: Path) -> bool:
    """Whether the older exporter could do it; it takes inputs in order only."""
    import torch

    if list(feeds) != tensors.names_of(model.forward, len(feeds))[: len(feeds)]:
        return False
    try:
        with silent():
            torch.onnx.export(
                model,
                tuple(torch_of(feeds).values()),
                str(path),
                dynamo=False,
                dynamic_axes={name: dict(free) for name, free in axes.items() if free},
                input_names=list(feeds),
                opset_version=min(request.opset or OPSET, OPSET),
            )
    except Exception:  # what the newer one said is what counts
        return False
    return True


def _is_large(model: Any) -> bool:
    size: int = sum(part.numel() * part.element_size() for part in model.parameters())
    return size > 1 << 30


def of_program(program: Any, request: Request, path: Path) -> Exported:
    """Export an exported program; its own example inputs stand in for a sample."""
    import torch

    arguments, named = program.example_inputs or ((), {})
    module = program.module()
    flat = [*arguments, *named.values()]
    names = [spec.arg.name for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
    if request.sample is not None:
        feeds = tensors.sampled(request.sample, names)
    elif flat and all(isinstance(part, torch.Tensor) for part in flat):
        feeds = {name: part.detach().numpy() for name, part in zip(names, flat, strict=True)}
    else:
        raise ConvertError(f"the program holds no example inputs; give {SAMPLE}")
    with silent():
        try:
            exported = torch.onnx.export(
                program, dynamo=True, opset_version=request.opset or OPSET, verbose=False
            )
            assert exported is not None
            exported.save(str(path), external_data=_is_large(module))
        except Exception as error:
            raise ConvertError(refusal(error)) from error
    model_inputs = [value.name for value in exported.model.graph.inputs]
    feeds = {name: feeds[old] for name, old in zip(model_inputs, names, strict=True)}
    places = list(torch_of(feeds).values())
    answer = module(*places[: len(arguments)], **dict(zip(named, places[len(arguments) :], strict=True)))
    case = Case(feeds, outputs_of(answer))
    return Exported(path, [case], request.sample is None, outputs=output_names(answer), batch=False)


def torch_of(feeds: Feeds) -> dict[str, Any]:
    """The same as tensors."""
    import torch

    return {name: torch.from_numpy(np.array(array)) for name, array in feeds.items()}


def answered(model: Any, feeds: Feeds) -> list[Array]:
    """What the module answers, flat."""
    import torch

    with torch.no_grad(), silent():
        return outputs_of(_caller(model)(torch_of(feeds)))


def _output_names(model: Any, feeds: Feeds) -> tuple[str, ...]:
    import torch

    with torch.no_grad(), silent():
        return output_names(_caller(model)(torch_of(feeds)))


def outputs_of(answer: Any) -> list[Array]:
    """The tensors of a nested answer in order."""
    import torch

    found = (tensor.detach().cpu() for tensor in _placed(answer).values())
    return [(part.float() if part.dtype == torch.bfloat16 else part).numpy() for part in found]


def output_names(answer: Any) -> tuple[str, ...]:
    """What the tensors of a nested answer are called, by their keys."""
    return tensors.output_names(list(_placed(answer)))


def _placed(answer: Any) -> dict[tuple[Any, ...], Any]:
    """The tensors of a nested answer by their places in it: keys, names and numbers."""
    import torch
    from torch.utils import _pytree

    leaves, _ = _pytree.tree_flatten_with_path(answer)
    return {tensors.place(path): leaf for path, leaf in leaves if isinstance(leaf, torch.Tensor)}


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """What exporters print and warn of is not for the user."""
    import logging

    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
