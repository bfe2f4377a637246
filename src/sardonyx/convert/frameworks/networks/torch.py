"""PyTorch: modules, functions that return one, exported programs; through torch.onnx.

Decides which exporter is asked and with which free axes; the older one only where the newer gives up.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, Case, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.torch_refusals import depends_on_data, refusal

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

    given: Any = ()
    if isinstance(model, tuple):
        model, given = model[0], model[1:]
        given = given[0] if len(given) == 1 and isinstance(given[0], tuple | dict) else given
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
        outputs=output_names(model, feeds),
        batch=False,
        axes=axes,
        notes=tuple(notes),
    )


def parameters_of(model: Any) -> list[str]:
    """Names of the parameters of forward."""
    parameters = inspect.signature(model.forward).parameters.values()
    return [row.name for row in parameters if row.kind in (row.POSITIONAL_OR_KEYWORD, row.POSITIONAL_ONLY)]


def _feeds(model: Any, given: Any, request: Request) -> tuple[Feeds, bool]:
    names = parameters_of(model)
    parts = given.items() if isinstance(given, dict) else zip(names, given, strict=False)
    taken = () if request.sample is not None else parts
    beside = {name: np.asarray(part.detach().cpu().numpy()) for name, part in taken}
    return tensors.chosen(request, names, beside, otherwise=", or let the function return (module, inputs)")


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
            self.model = model

        def forward(self, inputs: dict[str, Any]) -> Any:
            return self.model(**inputs)

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

    if list(feeds) != parameters_of(model)[: len(feeds)]:
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
        raise ConvertError("the program holds no example inputs; give --sample FILE")
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
    answers = [
        outputs_of(
            module(*places[: len(arguments)], **dict(zip(named, places[len(arguments) :], strict=True)))
        )
    ]
    return Exported(path, [Case(feeds, answers[0])], request.sample is None, batch=False)


def torch_of(feeds: Feeds) -> dict[str, Any]:
    """The same as tensors."""
    import torch

    return {name: torch.from_numpy(np.array(array)) for name, array in feeds.items()}


def answered(model: Any, feeds: Feeds) -> list[Array]:
    """What the module answers, flat."""
    import torch

    with torch.no_grad(), silent():
        return outputs_of(model(**torch_of(feeds)))


def outputs_of(answer: Any) -> list[Array]:
    """The tensors of a nested answer in order."""
    import torch
    from torch.utils import _pytree

    leaves, _ = _pytree.tree_flatten(answer)
    arrays = []
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor):
            leaf = leaf.detach().cpu()
            arrays.append((leaf.float() if leaf.dtype == torch.bfloat16 else leaf).numpy())
    return arrays


def output_names(model: Any, feeds: Feeds) -> tuple[str, ...]:
    """The keys of an answer that is a dictionary; empty for other answers."""
    import torch

    with torch.no_grad(), silent():
        answer = model(**torch_of(feeds))
    if not isinstance(answer, Mapping) or not all(isinstance(part, torch.Tensor) for part in answer.values()):
        return ()
    return tuple(str(name) for name in answer)


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
