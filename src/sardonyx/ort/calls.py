"""One call of a program with named inputs: a short path for the usual case, a thorough one for the rest.

Decides which values reach the program and in which order; must not know how a value is converted
(feeds.py) or what the program does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sardonyx.base.signature import TensorInfo
from sardonyx.ort.exceptions import InvalidArgument, status
from sardonyx.ort.feeds import FeedSpec, holds_texts, missing_inputs, prepare
from sardonyx.ort.options import RunOptions

if TYPE_CHECKING:
    import numpy.typing as npt

Call = Callable[..., list[Any]]
Shapes = set[tuple[int, ...]]
Key = tuple[str, ...]
Given = tuple[FeedSpec, Any]

_SHAPES_KEPT = 4096


class Named(Protocol):
    """What a call needs of a program."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Names, types and sizes of the inputs."""

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Those of the outputs."""

    @property
    def initializer_inputs(self) -> tuple[TensorInfo, ...]:
        """Those of the weights that may be fed."""

    def run(self, feeds: Sequence[Any], wanted: tuple[int, ...]) -> list[Any]:
        """Compute the outputs numbered `wanted` from one value per input."""


class Caller:
    """The named inputs and outputs of one program."""

    def __init__(
        self,
        program: Named,
        *,
        with_fed: Callable[[Key], Named] | None = None,
        logged: Callable[[Exception], None] | None = None,
    ) -> None:
        """Read the names of `program`.

        `with_fed` gives the same program with some initializers as additional inputs; `logged` is told of
        failed runs.
        """
        self._program = program
        self._with_fed = with_fed
        self._logged = logged
        self._specs = [FeedSpec.of(info) for info in program.inputs]
        self._overridable = [FeedSpec.of(info) for info in program.initializer_inputs]
        self._known = {spec.name for spec in (*self._specs, *self._overridable)}
        self._outputs = {info.name: index for index, info in enumerate(program.outputs)}
        self._all = tuple(range(len(program.outputs)))
        self._sparse = frozenset(
            n for n, info in enumerate(program.outputs) if info.type.startswith("sparse")
        )
        self._wanted: dict[Key, tuple[int, ...]] = {
            (): self._all,
            tuple(self._outputs): self._all,
            **{(name,): (index,) for name, index in self._outputs.items()},
        }
        self._shapes: dict[str, Shapes] = {spec.name: set() for spec in self._specs}

    def function(self) -> Call:
        """The call as a plain function of (output_names, input_feed, run_options).

        It spends one frame on the usual case: all inputs given as C-contiguous, aligned arrays of exactly
        the declared dtype, with shapes that were checked before.
        """
        if self._sparse or not all(spec.is_plain for spec in self._specs):
            return self.call_checked
        rows = [
            (spec.name, spec.element.numpy, self._shapes[spec.name], spec.element.kind == "O")
            for spec in self._specs
            if spec.element is not None
        ]
        run, checked, failed = self._program.run, self.call_checked, self._failed
        if len(rows) == 1 and not rows[0][3]:
            return _one_input(*rows[0][:3], self._all, self._wanted, run, checked, failed)
        return _many_inputs(rows, self._all, self._wanted, run, checked, failed)

    def shortcut(self, call: Call) -> Call:
        """`call`, the function of this caller, with a shortcut before it where there can be one."""
        inputs = [
            (spec.name, spec.element.numpy)
            for spec in self._specs
            if spec.is_plain and spec.element is not None
        ]
        if self._sparse or len(inputs) < len(self._specs):
            return call
        from sardonyx.runtime.shortcut import shortcut

        return shortcut(self._program, inputs, list(self._outputs), call)

    def call_checked(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """Run with everything validated.

        Raises ValueError for missing inputs, InvalidArgument for names, types and shapes that contradict
        the model, TypeError for arguments of the wrong kind, Fail for errors of kernels.
        """
        if error := self.missing(input_feed):
            raise error
        if run_options is not None and not isinstance(run_options, RunOptions):
            raise TypeError(
                "run(): incompatible function arguments: run_options must be RunOptions or None, "
                f"got {type(run_options).__name__}"
            )
        if run_options is not None and (adapted := run_options._fed_by_adapters()):
            input_feed = {**input_feed, **adapted}
        self._must_know(list(input_feed.keys()))
        given = [(spec, input_feed.get(spec.name)) for spec in self._specs]
        instead = [
            (spec, value) for spec in self._overridable if (value := input_feed.get(spec.name)) is not None
        ]
        wanted = self._indices(output_names)
        if run_options is not None:
            run_options._check()
        values = _prepared([*given, *instead])
        self._learn(given, values)
        return self._run(values, tuple(spec.name for spec, _ in instead), wanted)

    def _run(self, values: list[Any], overridden: Key, wanted: tuple[int, ...]) -> list[Any]:
        """Run with prepared values, first the inputs; an output wanted twice comes as two arrays."""
        distinct = tuple(dict.fromkeys(wanted))
        try:
            program = self._with_fed(overridden) if overridden and self._with_fed else self._program
            results = program.run(values, distinct)
        except Exception as error:
            raise self._failed(error) from error
        if self._sparse:
            from sardonyx.ort.sparse import SparseTensor

            results = [
                SparseTensor.from_dense(r) if n in self._sparse else r
                for n, r in zip(distinct, results, strict=True)
            ]
        if len(distinct) == len(wanted):
            return results
        by_index = dict(zip(distinct, results, strict=True))
        first: set[int] = set()
        spread: list[Any] = []
        for index in wanted:
            value = by_index[index]
            spread.append(value.copy() if index in first and isinstance(value, np.ndarray) else value)
            first.add(index)
        return spread

    def missing(self, input_feed: Mapping[str, Any]) -> ValueError | None:
        """The error for required inputs that are not fed, if there are any.

        Raises AttributeError for what is no mapping.
        """
        if not hasattr(input_feed, "keys"):
            names = ", ".join(spec.name for spec in self._specs)
            raise AttributeError(
                f"'{type(input_feed).__name__}' object has no attribute 'keys': input_feed must be a dict of "
                f"values by the names of inputs ({names})"
            )
        return missing_inputs(self._specs, list(input_feed.keys()))

    def output_index(self, name: str) -> int:
        """The number of an output; InvalidArgument if there is none of that name."""
        if name not in self._outputs:
            raise status(
                InvalidArgument,
                f"Invalid output name:{name}; the outputs are {', '.join(self._outputs)}",
            )
        return self._outputs[name]

    def _must_know(self, fed: Sequence[object]) -> None:
        for name in fed:
            if not isinstance(name, str):
                raise TypeError(
                    f"run(): incompatible function arguments: an input name must be str, got {name!r}"
                )
            if name not in self._known:
                raise status(
                    InvalidArgument,
                    f"Invalid input name: {name}; the inputs are {', '.join(sorted(self._known))}",
                )

    def _learn(self, given: Sequence[Given], values: Sequence[Any]) -> None:
        """Keep the shapes of arrays that went as they came, for the short path."""
        for (spec, array), value in zip(given, values, strict=False):
            if type(array) is np.ndarray and array.shape == value.shape:
                shapes = self._shapes[spec.name]
                if len(shapes) >= _SHAPES_KEPT:
                    shapes.clear()
                shapes.add(value.shape)

    def _indices(self, output_names: Sequence[str] | None) -> tuple[int, ...]:
        if output_names is None or (hasattr(output_names, "__len__") and len(output_names) == 0):
            return self._all
        given: Any = output_names
        if isinstance(given, (str, bytes, Mapping)):
            raise _wrong_names(given)
        names = tuple(name.decode() if isinstance(name, bytes) else name for name in given)
        if not all(isinstance(name, str) for name in names):
            raise _wrong_names(names)
        wanted = self._wanted.get(names) or tuple(self.output_index(name) for name in names)
        if len(set(wanted)) == len(wanted) and len(self._wanted) < _SHAPES_KEPT:
            self._wanted[tuple(str(name) for name in names)] = wanted
        return wanted

    def _failed(self, error: Exception) -> Exception:
        from sardonyx.ort.status import run_status

        failure = run_status(error)
        if self._logged is not None:
            self._logged(failure)
        return failure


def _prepared(given: Sequence[Given]) -> list[Any]:
    """The values as the program takes them.

    What is no array of numbers may run code of the caller while it is converted, and that may change an
    array that was found right before: then all are looked at again.
    """
    values = [prepare(value, spec) for spec, value in given]
    if all(type(value) is np.ndarray and not value.dtype.hasobject for _, value in given):
        return values
    return [prepare(value, spec) for (spec, _), value in zip(given, values, strict=True)]


def _wrong_names(given: object) -> TypeError:
    wanted = "output_names must be a sequence of str or None"
    return TypeError(f"run(): incompatible function arguments: {wanted}, got {given!r}")


def _one_input(
    name: str,
    dtype: npt.DTypeLike,
    shapes: Shapes,
    everything: tuple[int, ...],
    by_names: Mapping[Key, tuple[int, ...]],
    run: Callable[[Sequence[Any], tuple[int, ...]], list[Any]],
    otherwise: Call,
    failed: Callable[[Exception], Exception],
) -> Call:
    ndarray = np.ndarray
    wanted_of = by_names.get

    def call(output_names: Any, input_feed: Any, run_options: Any = None) -> list[Any]:
        if run_options is None and type(input_feed) is dict and len(input_feed) == 1:
            wanted: tuple[int, ...] | None = None
            if output_names is None:
                wanted = everything
            elif type(output_names) is list:
                wanted = wanted_of(tuple(output_names))
            value = input_feed.get(name)
            if (
                wanted is not None
                and type(value) is ndarray
                and value.dtype == dtype
                and value.shape in shapes
                and (flags := value.flags).c_contiguous
                and flags.aligned
            ):
                try:
                    return run((value,), wanted)
                except Exception as error:
                    raise failed(error) from error
        return otherwise(output_names, input_feed, run_options)

    return call


def _many_inputs(
    rows: Sequence[tuple[str, npt.DTypeLike, Shapes, bool]],
    everything: tuple[int, ...],
    by_names: Mapping[Key, tuple[int, ...]],
    run: Callable[[Sequence[Any], tuple[int, ...]], list[Any]],
    otherwise: Call,
    failed: Callable[[Exception], Exception],
) -> Call:
    ndarray = np.ndarray
    wanted_of = by_names.get
    count = len(rows)
    names = [row[0] for row in rows]
    kinds = [(number, *row[1:]) for number, row in enumerate(rows)]

    def call(output_names: Any, input_feed: Any, run_options: Any = None) -> list[Any]:
        if run_options is not None or type(input_feed) is not dict or len(input_feed) != count:
            return otherwise(output_names, input_feed, run_options)
        wanted: tuple[int, ...] | None = None
        if output_names is None:
            wanted = everything
        elif type(output_names) is list:
            wanted = wanted_of(tuple(output_names))
        if wanted is None:
            return otherwise(output_names, input_feed)
        values = list(map(input_feed.get, names))
        for number, dtype, shapes, is_text in kinds:
            value = values[number]
            if not (
                type(value) is ndarray
                and value.dtype == dtype
                and value.shape in shapes
                and (flags := value.flags).c_contiguous
                and flags.aligned
                and (not is_text or holds_texts(value))
            ):
                return otherwise(output_names, input_feed)
        try:
            return run(values, wanted)
        except Exception as error:
            raise failed(error) from error

    return call
