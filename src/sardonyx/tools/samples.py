"""Samples for a command line: a file of inputs, or a folder of them, as feeds of a model.

An .npz holds inputs by name, an .npy or a picture the single input; where the first size of a model is fixed,
what holds more is cut into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.base.signature import TensorInfo
from sardonyx.base.stored import read_npz
from sardonyx.tools.console import UserError, shape_text
from sardonyx.tools.inputs import feeds

Feeds = dict[str, Any]
SUFFIXES = (".npz", ".npy", ".png", ".jpg", ".jpeg", ".bmp", ".webp")


def samples_of(
    path: Path, arguments: Sequence[TensorInfo], *, mean: float = 0.0, std: float = 1.0
) -> list[Feeds]:
    """Feeds for every sample of a file or a folder, in the order of their names.

    Raises:
        UserError: nothing there, or a sample that is not what the model takes.
    """
    files = (
        sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if path.is_dir()
        else [path]
    )
    if not files:
        raise UserError(f"--samples {path}: it holds no {', '.join(SUFFIXES)}")
    found: list[Feeds] = []
    for file in files:
        found += _pieces(_read(file, arguments, mean, std), arguments, file)
    return found


def _read(file: Path, arguments: Sequence[TensorInfo], mean: float, std: float) -> Feeds:
    if file.suffix == ".npz":
        try:
            held = read_npz(file)
        except (OSError, ValueError) as error:
            raise UserError(f"--samples {file}: {error}") from None
        missing = [argument.name for argument in arguments if argument.name not in held]
        if missing:
            raise UserError(
                f"--samples {file}: it has no {missing[0]}; it has {', '.join(held) or 'nothing'}"
            )
        return {argument.name: held[argument.name] for argument in arguments}
    if len(arguments) != 1:
        names = ", ".join(argument.name for argument in arguments)
        raise UserError(f"--samples {file}: the model has several inputs ({names}); give .npz files")
    return feeds(arguments, {arguments[0].name: str(file)}, {}, mean=mean, std=std)[0]


def _pieces(sample: Feeds, arguments: Sequence[TensorInfo], file: Path) -> list[Feeds]:
    """A sample cut along its first axis where the model takes a fixed number of rows."""
    count = 1
    for argument in arguments:
        shape, size = sample[argument.name].shape, (argument.shape or [None])[0]
        if not isinstance(size, int) or not shape or shape[0] == size or not size:
            continue
        if shape[0] % size or not shape[0]:
            said = f"{argument.name} is {shape_text(shape)}, the model takes {shape_text(argument.shape)}"
            raise UserError(f"--samples {file}: {said}")
        count = shape[0] // size
    if count == 1:
        return [sample]
    cut = {name: np.split(value, count) for name, value in sample.items()}
    return [{name: parts[at] for name, parts in cut.items()} for at in range(count)]
