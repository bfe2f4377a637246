"""An operator's signature is its schema: inputs, attributes, defaults and version as ONNX states them."""

from __future__ import annotations

import inspect
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.ops import register_all
from sardonyx.ops.table import Operator, attributes_of, operators
from tests.conformance.cases import load_cases

register_all()

UNUSED_ATTRIBUTES = {"consumed_inputs"}  # a memory hint of opset 1
DOMAINS = ("", "ai.onnx.ml")
# Of onnxruntime in the default domain: what its own tools write, and what ONNX took back.
OF_THE_PEER = {
    *((name, 1) for name in ("LayerNormalization", "SimplifiedLayerNormalization")),
    *((name, 1) for name in ("Affine", "Crop", "DynamicSlice", "ImageScaler", "MeanVarianceNormalization")),
    *((name, 1) for name in ("ParametricSoftplus", "Scale", "ScaledTanh", "ThresholdedRelu")),
}
# Defaults that differ in writing and mean the same: no bound is the largest number, two names of one mode,
# a direction that the first opset misspells.
SAME_MEANING = {
    ("Clip", "min"),
    ("Clip", "max"),
    ("GRU", "direction"),
    ("GridSample", "mode"),
    ("LSTM", "direction"),
    ("RNN", "direction"),
}


def known() -> list[Operator]:
    return [o for o in operators() if o.domain in DOMAINS and (o.name, o.since) not in OF_THE_PEER]


def name_of(operator: Operator) -> str:
    return f"{operator.name}-{operator.since}"


@cache
def meanings() -> Mapping[tuple[str, str], list[int]]:
    """From which opsets on each operator has a meaning here."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for operator in operators():
        found[operator.domain, operator.name].append(operator.since)
    return found


@cache
def schemas() -> Mapping[tuple[str, str], list[Any]]:
    """All schemas of each operator."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        found[schema.domain, schema.name].append(schema)
    return found


def schemas_of(operator: Operator) -> Iterator[Any]:
    """The schemas of every opset at which this meaning is looked up, oldest first."""
    end = min(
        (since for since in meanings()[operator.domain, operator.name] if since > operator.since),
        default=math.inf,
    )
    versions = [
        s
        for s in schemas()[operator.domain, operator.name]
        if not s.deprecated or s.since_version == operator.since
    ]
    yield from sorted(
        (s for s in versions if operator.since <= s.since_version < end), key=lambda s: s.since_version
    )


@pytest.mark.parametrize("operator", known(), ids=name_of)
def test_signature_matches_schema(operator: Operator) -> None:
    schemas = list(schemas_of(operator))
    assert schemas, "ONNX has no such operator from this opset on"
    assert operator.since == schemas[0].since_version, "the meaning begins with another opset"
    complaints = [text for schema in schemas for text in differences(operator, schema)]
    surplus = operator.attributes.keys() - {name for schema in schemas for name in schema.attributes}
    complaints += [f"no opset has the attribute {name}" for name in sorted(surplus)]
    assert not complaints, "\n".join(complaints)


def differences(operator: Operator, schema: Any) -> Iterator[str]:
    """Where a call that the schema allows does not fit the signature."""
    opset = schema.since_version
    least, most = operator.inputs
    if least > schema.min_input:
        yield f"opset {opset}: {schema.min_input} inputs are enough, the signature wants {least}"
    if most is not None and most < schema.max_input:
        yield f"opset {opset}: there may be {schema.max_input} inputs, the signature takes {most}"
    defaults = {attribute.name: attribute.default for attribute in attributes_of(operator.build)}
    for name, attribute in schema.attributes.items():
        if name in UNUSED_ATTRIBUTES:
            continue
        if name not in operator.attributes:
            yield f"opset {opset}: the attribute {name} is not in the signature"
        elif not attribute.required and defaults[name] is inspect.Parameter.empty:
            yield f"opset {opset}: the attribute {name} is optional"
        elif (
            attribute.default_value.name
            and (operator.name, name) not in SAME_MEANING
            and not same_default(defaults[name], onnx.helper.get_attribute_value(attribute.default_value))
        ):
            yield f"opset {opset}: {name} defaults to {attribute.default_value}".replace("\n", " ")


def same_default(mine: Any, stated: Any) -> bool:
    if isinstance(stated, bytes):
        return bool(mine == stated.decode())
    if isinstance(stated, float):
        return bool(np.float32(mine) == np.float32(stated))
    if isinstance(stated, list):
        return [v.decode() if isinstance(v, bytes) else v for v in stated] == list(mine)
    return bool(mine == stated)


def test_every_operator_has_a_case() -> None:
    tested = {operator for case in load_cases().values() for operator in case.operators}
    without = {operator.name for operator in known() if operator.domain == ""} - tested
    assert not without, "add cases to tests/conformance"
