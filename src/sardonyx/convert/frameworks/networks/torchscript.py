"""TorchScript: archives of torch.jit.save, through the exporter that still reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sardonyx.convert.framework import ConvertError, Exported, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.torch import OPSET, output_names, outputs_of, silent, torch_of
from sardonyx.convert.frameworks.networks.torch_refusals import refusal


def load(source: str, request: Request) -> Any:
    """The scripted module of a file."""
    import torch

    with silent():
        try:
            return torch.jit.load(source, map_location="cpu").eval()
        except RuntimeError as error:
            said = str(error).strip().splitlines()[-1]
            raise ConvertError(
                f"{source} cannot be read as TorchScript: {said}; is the file whole?"
            ) from error


def export(model: Any, request: Request, path: Path) -> Exported:
    """Export a scripted module on a sample or on inputs of the stated shapes."""
    import torch

    names = [row.name for row in model.forward.schema.arguments[1:]]
    feeds, drawn = tensors.chosen(request, names, {})
    feeds = {name: feeds[name] for name in names if name in feeds}
    axes = tensors.free_axes(feeds, request.dynamic or ("batch",))
    with silent(), torch.no_grad():
        try:
            torch.onnx.export(
                model,
                tuple(torch_of(feeds).values()),
                str(path),
                dynamo=False,
                input_names=list(feeds),
                dynamic_axes={name: free for name, free in axes.items() if free},
                opset_version=min(request.opset or OPSET, OPSET),
            )
        except Exception as error:
            raise ConvertError(refusal(error)) from error
        parts = tensors.other_sizes(feeds, axes, drawn=drawn)
        cases = tensors.asked(parts, lambda part: outputs_of(model(*torch_of(part).values())), drawn=drawn)
        outputs = output_names(model(*torch_of(feeds).values()))
    return Exported(path, cases, drawn, outputs=outputs, batch=False)
