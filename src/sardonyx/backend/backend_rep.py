"""A prepared model of ONNX's backend interface.

Decides how inputs are matched to names; must not know how models are prepared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sardonyx.ort.options import RunOptions
from sardonyx.ort.session import InferenceSession

RUN_OPTIONS = frozenset(
    {"log_severity_level", "log_verbosity_level", "logid", "only_execute_path_to_fetches"}
)
"""The options of a run that may be given by name."""


def allowed(options: object, given: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """The given fields of `options`; RuntimeError for a field that is not among `names`."""
    for name in given:
        if name not in names and hasattr(options, name):
            raise RuntimeError(
                f"{type(options).__name__} attribute '{name}' is not permitted via the backend API. "
                f"Allowed attributes: {', '.join(sorted(names))}"
            )
    return {name: value for name, value in given.items() if name in names}


class OnnxRuntimeBackendRep:
    """A session that takes its inputs by position."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session

    def run(self, inputs: Any, **kwargs: Any) -> list[Any]:
        """All outputs for a list of inputs in the model's order, or for one array.

        Args:
            inputs: one value per input; what is not a list is the only input.
            kwargs: fields of RunOptions from `RUN_OPTIONS`; unknown names are ignored.

        Raises:
            RuntimeError: a field that may not be given this way, or a number of inputs that does not fit.
        """
        options = RunOptions()
        for name, value in allowed(options, kwargs, RUN_OPTIONS).items():
            setattr(options, name, value)
        names = [argument.name for argument in self._session.get_inputs()]
        values = inputs if isinstance(inputs, list) else [inputs]
        if len(values) < len(names) or (not isinstance(inputs, list) and len(names) != 1):
            raise RuntimeError(f"Model expect {len(names)} inputs ({', '.join(names)}), got {len(values)}")
        return self._session.run(None, dict(zip(names, values, strict=False)), options)
