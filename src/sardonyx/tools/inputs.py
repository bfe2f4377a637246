"""Feeds for a command line: `name=FILE.npy`, `name=FILE.png`, `name=random`, and sizes for free dimensions.

Knows what a model declares; must not know how it runs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.base.drawn import drawn
from sardonyx.base.signature import TensorInfo
from sardonyx.base.stored import read_npy
from sardonyx.ort.feeds import FeedSpec
from sardonyx.tools.console import UserError, bytes_text, shape_text
from sardonyx.tools.picture import fit, read_picture

Array = npt.NDArray[Any]

DEFAULT_SIZE = 32
"""The size of a free dimension that nobody gave one, except the first, which is 1."""
_LAST_SEED = 2**32 - 1
"""The largest that every library takes."""


def check_input_options(options: argparse.Namespace) -> None:
    """Raise UserError for malformed --input and --dim, before anything costly is done."""
    parse_pairs(options.input, "--input")
    parse_sizes(options.dim)


def seed(text: str) -> int:
    """The seed of random choices; argparse says what is wrong with others."""
    number = int(text)
    if not 0 <= number <= _LAST_SEED:
        raise argparse.ArgumentTypeError(f"{number} is not a seed: give 0 to {_LAST_SEED}")
    return number


def parse_pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """`name=value` texts as a dict; UserError for anything else."""
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise UserError(f"{option} {text}: expected NAME=VALUE")
        pairs[name] = value
    return pairs


def parse_sizes(texts: Sequence[str]) -> dict[str, int]:
    """`name=number` texts as a dict; UserError for anything else."""
    sizes = {}
    for name, value in parse_pairs(texts, "--dim").items():
        if not value.isdecimal():
            raise UserError(f"--dim {name}={value}: the size must be a whole number from 0 on")
        sizes[name] = int(value)
    return sizes


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Add --input, --dim, --seed, --mean and --std."""
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a .npy or picture file, or the word random; repeat for every input",
    )
    parser.add_argument(
        "--dim",
        action="append",
        default=[],
        metavar="NAME=SIZE",
        help="the size of a free dimension of random inputs; one without a name is called INPUT[AXIS]; "
        "repeat for every dimension",
    )
    parser.add_argument("--seed", type=seed, default=0, help="of random inputs (default 0)")
    parser.add_argument(
        "--mean", type=float, default=0.0, help="taken from pixels scaled to 0..1 (default 0)"
    )
    parser.add_argument("--std", type=float, default=1.0, help="then divides the pixels (default 1)")


def check_names(arguments: Sequence[TensorInfo], options: argparse.Namespace) -> None:
    """Raise UserError if --input or --dim names what none of these inputs has."""
    known = dict.fromkeys(argument.name for argument in arguments)
    for name in parse_pairs(options.input, "--input"):
        if name not in known:
            raise UserError(f"--input {name}: the model has no such input; it has {', '.join(known)}")
    free = dict.fromkeys(name for argument in arguments for name in dimension_names(argument))
    for name in parse_sizes(options.dim):
        if name not in free:
            has = f"it has {', '.join(free)}" if free else "all its sizes are fixed"
            raise UserError(f"--dim {name}: the model has no such free dimension; {has}")


def dimension_names(argument: TensorInfo) -> list[str]:
    """What --dim calls the free dimensions of an input; those without a name are called `input[axis]`."""
    sizes = enumerate(argument.shape or ())
    return [size or f"{argument.name}[{axis}]" for axis, size in sizes if not isinstance(size, int)]


def _known_sizes(argument: TensorInfo, sizes: Mapping[str, int]) -> list[int | None]:
    """The shape of an input as far as it, or the user, says."""
    return [
        size if isinstance(size, int) else sizes.get(size or f"{argument.name}[{axis}]")
        for axis, size in enumerate(argument.shape or ())
    ]


def feeds_of(
    arguments: Sequence[TensorInfo], options: argparse.Namespace
) -> tuple[dict[str, Any], list[str]]:
    """The feeds that the options of `add_input_options` ask for; see `feeds`."""
    given, sizes = parse_pairs(options.input, "--input"), parse_sizes(options.dim)
    return feeds(arguments, given, sizes, seed=options.seed, mean=options.mean, std=options.std)


def feeds(
    arguments: Sequence[TensorInfo],
    given: Mapping[str, str],
    sizes: Mapping[str, int],
    *,
    seed: int = 0,
    mean: float = 0.0,
    std: float = 1.0,
) -> tuple[dict[str, Any], list[str]]:
    """A value per input, and the names of those that are random because nothing was given for them.

    Free dimensions take their size from `sizes` by name, else 1 for the first axis and 32 for others.
    """
    rng = np.random.default_rng(seed)
    values, invented = {}, []
    for argument in arguments:
        spec = FeedSpec.of(argument)
        source = given.get(argument.name, "")
        if not source:
            invented.append(argument.name)
        values[argument.name] = (
            random_value(spec, sizes, rng)
            if source in ("", "random")
            else _read(Path(source), spec, sizes, mean, std)
        )
    return values, invented


def random_value(spec: FeedSpec, sizes: Mapping[str, int], rng: np.random.Generator) -> Any:
    """A value of the declared type: floats in [0, 1), integers in [0, 2), words for strings."""
    if spec.optional:
        return None
    if spec.kind != "tensor" or spec.element is None:
        raise UserError(f"the input {spec.name} is {spec.info.type}; random values exist for tensors only")
    shape = [
        (DEFAULT_SIZE if axis else 1) if size is None else size
        for axis, size in enumerate(_known_sizes(spec.info, sizes))
    ]
    element = spec.element
    if element.kind == "O":
        words = np.array(["alpha", "beta", "gamma"], object)
        return words[rng.integers(0, 3, shape)] if shape else np.array("alpha", object)
    try:
        return drawn(element, shape, rng)
    except (MemoryError, ValueError):
        size = bytes_text(math.prod(shape) * element.numpy.itemsize)
        raise UserError(
            f"random values for the input {spec.name} {shape_text(shape)} are {size}, more than there is "
            "memory for; give smaller sizes with --dim NAME=SIZE"
        ) from None


def _read(path: Path, spec: FeedSpec, sizes: Mapping[str, int], mean: float, std: float) -> Array:
    if not path.exists():
        raise UserError(f"--input {spec.name}={path}: there is no such file")
    if spec.element is None or spec.kind != "tensor":
        raise UserError(f"--input {spec.name}={path}: the input is {spec.info.type}, files hold tensors")
    if path.suffix == ".npy":
        try:
            return read_npy(path)
        except (ValueError, OSError) as error:
            said = getattr(error, "strerror", None) or error
            raise UserError(f"--input {spec.name}={path}: {said}") from None
    shape = tuple(_known_sizes(spec.info, sizes))
    try:
        return fit(read_picture(path), shape, spec.element.numpy, mean, std)
    except UserError as error:
        where = f"{spec.name} is {spec.info.type} {shape_text(spec.info.shape)}"
        raise UserError(f"--input {spec.name}={path}: {error} ({where})") from None
