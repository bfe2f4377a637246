"""Names of execution providers and what a caller may pass for them. The engine has one: the CPU.

Must not know sessions.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

AVAILABLE_PROVIDERS = ("CPUExecutionProvider",)
ALL_PROVIDERS = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "MIGraphXExecutionProvider",
    "OpenVINOExecutionProvider",
    "DnnlExecutionProvider",
    "VitisAIExecutionProvider",
    "QNNExecutionProvider",
    "NnapiExecutionProvider",
    "VSINPUExecutionProvider",
    "JsExecutionProvider",
    "CoreMLExecutionProvider",
    "DmlExecutionProvider",
    "RknpuExecutionProvider",
    "WebNNExecutionProvider",
    "WebGpuExecutionProvider",
    "XnnpackExecutionProvider",
    "CANNExecutionProvider",
    "AzureExecutionProvider",
    "CPUExecutionProvider",
)


def normalize(
    providers: Any,
    provider_options: Any,
) -> dict[str, dict[str, str]]:
    """Options by provider name, in the caller's order.

    Warns about names that are not available and about duplicates. Raises TypeError or ValueError for
    malformed arguments and RuntimeError for a name no engine has.
    """
    if providers is not None:
        iter(providers)
    wanted = _wanted(providers, provider_options, AVAILABLE_PROVIDERS)
    for name in wanted:
        if name not in ALL_PROVIDERS:
            raise RuntimeError(f"Unknown Provider Type: {name}")
    return wanted


def check_and_normalize_provider_args(
    providers: Any, provider_options: Any, available_provider_names: Sequence[str]
) -> tuple[list[str], list[dict[str, str]]]:
    """The names and the options of providers in the caller's order; warnings and errors as above."""
    wanted = _wanted(providers, provider_options, available_provider_names)
    return list(wanted), list(wanted.values())


def check_tuning(results: Any, *, error_on_invalid: bool) -> None:
    """Refuse tuning results: this provider tunes nothing, and there is no other.

    TypeError if they are no list of dicts, KeyError if one names no provider under `ep`; RuntimeError with
    `error_on_invalid`, else they have no effect.
    """
    if not isinstance(results, list | tuple) or not all(isinstance(result, Mapping) for result in results):
        raise TypeError(f"tuning results are a list of dicts, not {results!r}")
    for name in [result["ep"] for result in results]:
        if error_on_invalid and name not in AVAILABLE_PROVIDERS:
            raise RuntimeError(f"Cannot find execution provider {name}; there is {AVAILABLE_PROVIDERS[0]}")
        if error_on_invalid:
            raise RuntimeError(f"Invalid TuningResults: {name} does not support TunableOp")


def check_dynamic(options: Any) -> None:
    """Refuse options of providers that are no mapping (TypeError) or none (RuntimeError)."""
    if not isinstance(options, Mapping):
        raise TypeError(f"options are a mapping of texts, not {options!r}")
    if not options:
        raise RuntimeError("options of providers are given, but none is among them")


def _wanted(providers: Any, provider_options: Any, available: Sequence[str]) -> dict[str, dict[str, str]]:
    wanted: dict[str, dict[str, str]] = {}
    for name, options in _pairs(providers, provider_options):
        if name not in available:
            names = ", ".join(available)
            warnings.warn(
                f"Specified provider '{name}' is not in available provider names."
                f"Available providers: '{names}'. The model runs on the CPU.",
                stacklevel=5,
            )
        if name in wanted:
            warnings.warn(f"Duplicate provider '{name}' encountered, ignoring.", stacklevel=5)
            continue
        wanted[name] = {str(key): str(value) for key, value in options.items()}
    return wanted


def _pairs(
    providers: Any,
    provider_options: Any,
) -> list[tuple[str, Mapping[Any, Any]]]:
    if providers is None:
        return []
    if isinstance(providers, str):
        providers = [providers]
    if not isinstance(providers, Sequence):
        raise ValueError("'providers' should be a sequence.")
    if provider_options is not None:
        if not isinstance(provider_options, Sequence):
            raise ValueError("'provider_options' should be a sequence.")
        if len(providers) != len(provider_options):
            raise ValueError(
                "'providers' and 'provider_options' should be the same length if both are given."
            )
        if not all(isinstance(provider, str) for provider in providers):
            raise ValueError(
                "Only string values for 'providers' are supported if 'provider_options' is given."
            )
        if not all(isinstance(options, dict) for options in provider_options):
            raise ValueError("'provider_options' values must be dicts.")
        return [(str(name), options) for name, options in zip(providers, provider_options, strict=True)]
    pairs: list[tuple[str, Mapping[Any, Any]]] = []
    for provider in providers:
        match provider:
            case str():
                pairs.append((provider, {}))
            case (str() as name, dict() as options):
                pairs.append((name, options))
            case _:
                raise ValueError("'providers' values must be either strings or (string, dict) tuples.")
    return pairs
