"""Our operators of com.microsoft take every input and attribute that onnxruntime's schemas have."""

from __future__ import annotations

import os
from functools import cache
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from sardonyx.ops import register_all
from sardonyx.ops.table import Operator, operators
from tests.arch.test_operators import differences

register_all()

# They share the function of a newer operator of ai.onnx or of a sibling.
MAY_TAKE_MORE = {"DequantizeLinear", "GatherND", "QuantizeLinear", "TransposeMatMul"}
# onnxruntime fuses to these in the domain of ai.onnx, some files have them here.
WITHOUT_SCHEMA = {"SimplifiedLayerNormalization"}


def known() -> list[Operator]:
    return [o for o in operators() if o.domain == "com.microsoft" and o.name not in WITHOUT_SCHEMA]


@cache
def schemas() -> dict[str, Any]:
    """The schemas by name, in the form that ONNX's own have."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from onnxruntime.capi import onnxruntime_pybind11_state as peer

    return {
        schema.name: SimpleNamespace(
            since_version=schema.since_version,
            min_input=schema.min_input,
            max_input=schema.max_input,
            attributes={
                name: SimpleNamespace(
                    required=attribute.required,
                    default_value=onnx.AttributeProto.FromString(attribute._default_value),
                )
                for name, attribute in schema.attributes.items()
            },
        )
        for schema in peer.get_all_operator_schema()
        if schema.domain == "com.microsoft"
    }


@pytest.mark.parametrize("operator", known(), ids=lambda o: o.name)
def test_signature_matches_schema(operator: Operator) -> None:
    schema = schemas().get(operator.name)
    assert schema is not None, "onnxruntime has no such operator"
    complaints = list(differences(operator, schema))
    if operator.name not in MAY_TAKE_MORE:
        surplus = operator.attributes.keys() - set(schema.attributes)
        complaints += [f"the schema has no attribute {name}" for name in sorted(surplus)]
    assert not complaints, "\n".join(complaints)


def test_every_operator_that_runs_on_cpus_elsewhere_is_here() -> None:
    from onnxruntime.capi import onnxruntime_pybind11_state as peer

    kernels = peer.get_all_opkernel_def()
    there = {
        k.op_name for k in kernels if (k.provider, k.domain) == ("CPUExecutionProvider", "com.microsoft")
    }
    assert len(there) > 80
    assert there <= {o.name for o in known()}
