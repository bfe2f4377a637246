"""A compiled model as a function of arrays by position, with the protocol's errors; and how one is opened.

Decides how a session is made and called; must not know queues or requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.base.knobs import EFFORT
from sardonyx.ort.exceptions import InvalidArgument
from sardonyx.ort.logger import FATAL
from sardonyx.ort.metadata import NodeArg, declared
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session import InferenceSession
from sardonyx.protocol.datatypes import Array, objects
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.runtime.cores import team_size
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Signature

Results = list[Array]
_SCORES = "seq(map("


class SessionCall:
    """Runs a session; texts go in as str and come out as bytes, rows of scores by class become a matrix.

    `classes` are the keys of such scores by output, known after the first run.
    """

    def __init__(self, name: str, session: InferenceSession, signature: Signature) -> None:
        self.classes: dict[str, list[str]] = {}
        self._name = name
        self._run = session.run
        self._inputs = [port.name for port in signature.inputs]
        self._outputs = [port.name for port in signature.outputs]
        self._texts_in = [port.datatype == "BYTES" for port in signature.inputs]
        self._any_text_in = any(self._texts_in)
        kinds = [argument.type for argument in session.get_outputs()]
        self._special = [kind.startswith(_SCORES) or kind == "tensor(string)" for kind in kinds]
        self._any_special = any(self._special)

    def __call__(self, feeds: Sequence[Array], wanted: tuple[int, ...] | None = None) -> Results:
        """The outputs numbered `wanted`, None = all. ServeError says whether request or model is at fault."""
        if self._any_text_in:
            feeds = [
                _decoded(name, array) if text else array
                for name, array, text in zip(self._inputs, feeds, self._texts_in, strict=True)
            ]
        names = None if wanted is None else [self._outputs[number] for number in wanted]
        try:
            results: Results = self._run(names, dict(zip(self._inputs, feeds, strict=True)))
        except (InvalidArgument, ValueError) as error:
            raise invalid(f"model '{self._name}': {plain(error)}") from error
        except Exception as error:
            raise ServeError(Code.INTERNAL, f"model '{self._name}' failed: {plain(error)}") from error
        if self._any_special:
            numbers = range(len(results)) if wanted is None else wanted
            results = [
                self._converted(self._outputs[number], value) if self._special[number] else value
                for number, value in zip(numbers, results, strict=True)
            ]
        return results

    def _converted(self, output: str, value: Any) -> Array:
        if isinstance(value, np.ndarray):
            return encoded(value)
        keys = list(value[0]) if value else []
        if keys:
            self.classes.setdefault(output, [str(key) for key in keys])
        return np.array([[row[key] for key in keys] for row in value], np.float32)


def open_session(offer: Offer, options: ServeOptions, instances: int) -> InferenceSession:
    """Compile or map the model of an offer; blocks. INVALID_ARGUMENT says what is wrong with the file.

    It is compiled in full at once, so that nothing is compiled while requests come.
    """
    settings = SessionOptions()
    threads = options.threads
    if not threads and instances > 1:
        threads = max(1, team_size() // instances)
    settings.intra_op_num_threads = threads
    settings.log_severity_level = FATAL  # who asked is told
    if not EFFORT.is_set:
        settings.add_session_config_entry(EFFORT.entry, "full")
    try:
        return InferenceSession(str(offer.path), settings)
    except Exception as error:
        raise invalid(f"model '{offer.name}' version {offer.version}: {plain(error)}") from error


def served_arguments(arguments: Sequence[NodeArg]) -> list[tuple[str, str, Any]]:
    """(name, type, shape) of outputs as they are served: scores by class are a matrix of float."""
    return [
        (argument.name, "tensor(float)", ("", None))
        if argument.type.startswith(_SCORES)
        else (argument.name, argument.type, declared(argument).shape)
        for argument in arguments
    ]


def encoded(texts: Array) -> Array:
    """An array of str as one of bytes."""
    items = [item.encode() if isinstance(item, str) else item for item in texts.reshape(-1).tolist()]
    return objects(items).reshape(texts.shape)


def _decoded(name: str, array: Array) -> Array:
    try:
        texts = [item.decode() if isinstance(item, bytes) else item for item in array.reshape(-1).tolist()]
    except UnicodeDecodeError as error:
        raise invalid(f"input '{name}' holds bytes that are not UTF-8 text: {error}") from None
    return objects(texts).reshape(array.shape)


def plain(error: Exception) -> str:
    """The message of an error without the prefix that the peer's API gives it."""
    text = str(error) or type(error).__name__
    return text.split(" : ", 3)[-1] if text.startswith("[ONNXRuntimeError]") else text


def custom_metadata(session: InferenceSession) -> Mapping[str, str]:
    """What the author wrote into the file."""
    return session.get_modelmeta().custom_metadata_map
