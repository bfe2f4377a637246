"""ONNX's backend interface over sessions.

Decides what counts as a model and which options may be given; must not know how a session runs.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

from sardonyx.backend.backend_rep import OnnxRuntimeBackendRep, allowed
from sardonyx.ort.environment import get_device
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session import InferenceSession

SESSION_OPTIONS = frozenset(
    {
        "enable_cpu_mem_arena",
        "enable_mem_pattern",
        "enable_mem_reuse",
        "execution_mode",
        "execution_order",
        "graph_optimization_level",
        "inter_op_num_threads",
        "intra_op_num_threads",
        "log_severity_level",
        "log_verbosity_level",
        "logid",
        "use_deterministic_compute",
        "use_per_session_threads",
    }
)
"""The options that may be given by name: none that writes files."""


class OnnxRuntimeBackend:
    """The class that `onnx.backend.test` takes."""

    allowReleasedOpsetsOnly = os.environ.get("ALLOW_RELEASED_ONNX_OPSET_ONLY", "1") == "1"  # noqa: N815

    @classmethod
    def is_compatible(cls, model: Any, device: str | None = None, **kwargs: Any) -> bool:
        """Whether the device exists."""
        return cls.supports_device(device if device is not None else get_device())

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether it is the CPU."""
        return device == get_device()

    @classmethod
    def prepare(cls, model: Any, device: str | None = None, **kwargs: Any) -> OnnxRuntimeBackendRep:
        """Make a model ready to run.

        Args:
            model: a path, bytes, ModelProto, InferenceSession, or what this function returned before.
            device: None or CPU.
            kwargs: fields of SessionOptions from `SESSION_OPTIONS`; unknown names are ignored.

        Raises:
            RuntimeError: a field that may not be given this way, or another device.
        """
        if isinstance(model, OnnxRuntimeBackendRep):
            return model
        if isinstance(model, InferenceSession):
            return OnnxRuntimeBackendRep(model)
        if device is not None and not cls.supports_device(device):
            raise RuntimeError(f"Incompatible device expected '{device}', got '{get_device()}'")
        options = SessionOptions()
        for name, value in allowed(options, kwargs, SESSION_OPTIONS).items():
            setattr(options, name, value)
        source = model.SerializeToString() if hasattr(model, "SerializeToString") else model
        session = InferenceSession(source, options)
        session.disable_fallback()
        return OnnxRuntimeBackendRep(session)

    @classmethod
    def run_model(cls, model: Any, inputs: Any, device: str | None = None, **kwargs: Any) -> list[Any]:
        """Prepare and run; `inputs` is a list in the model's order, or one array."""
        return cls.prepare(model, device, **kwargs).run(inputs, **kwargs)

    @classmethod
    def run_node(cls, node: Any, inputs: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse, as onnxruntime does.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "It is much more efficient to run a whole model than every node independently; "
            "make a model of the node and use run_model."
        )


is_compatible = OnnxRuntimeBackend.is_compatible
prepare = OnnxRuntimeBackend.prepare
run = run_model = OnnxRuntimeBackend.run_model
supports_device = OnnxRuntimeBackend.supports_device
