"""Free axes have the names that they were meant to have, at the outputs too, or the sizes of some inputs."""

from __future__ import annotations

import numpy as np
import onnx

from sardonyx.convert.axes import fix_sizes, name_axes, name_batch, name_nameless, name_output_axes
from sardonyx.convert.framework import Case

HEAD = '<ir_version: 8, opset_import: ["" : 17]> g'


def parsed(inputs: str, outputs: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f"{HEAD} ({inputs}) => ({outputs}) {{ y = Relu(x) }}")


def sizes(value: onnx.ValueInfoProto) -> list[str | int]:
    return [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]


def test_axes_get_the_names_they_were_meant_to_have() -> None:
    model = parsed("float[s0, 2, s1] x", "float[s0, 2, s1] y")
    name_axes(model, {"x": {0: "batch", 1: "fixed", 7: "beyond"}, "other": {0: "no"}})
    assert sizes(model.graph.input[0]) == sizes(model.graph.output[0]) == ["batch", 2, "s1"]


def test_nameless_axes_get_names() -> None:
    model = parsed("float[?, 2, s1, ?] x", "float[?, ?] y")
    name_nameless(model, {"x": {0: "rows", 1: "fixed", 2: "known", 9: "beyond"}})
    assert sizes(model.graph.input[0]) == ["rows", 2, "s1", 0]
    name_batch(model)
    assert (sizes(model.graph.input[0])[0], sizes(model.graph.output[0])) == ("rows", ["batch", 0])


def cases(*shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> list[Case]:
    return [Case({"x": np.zeros(given)}, [np.zeros(answered)]) for given, answered in shapes]


def test_axes_of_outputs_are_those_of_the_inputs_that_they_vary_with() -> None:
    model = parsed("float[n, m, k] x", "float[unk__7, own, ?, m, ?] y")
    name_output_axes(
        model, cases(((2, 5, 5), (5, 2, 2, 5, 3)), ((1, 4, 4), (4, 1, 1, 4, 3)), ((3, 4, 4), (4, 3, 3, 4, 3)))
    )
    assert sizes(model.graph.output[0]) == ["unk__7", "n", "n", "m", 0], "m and k vary alike, 3 does not vary"


def test_one_case_names_no_axis() -> None:
    model = parsed("float[n, 4] x", "float[?, 4] y")
    name_output_axes(model, cases(((2, 4), (2, 4))))
    assert sizes(model.graph.output[0]) == [0, 4]
    name_output_axes(model, cases(((2, 4), (2, 4, 1)), ((1, 4), (1, 4, 1))))
    assert sizes(model.graph.output[0]) == [0, 4], "an answer of another rank says nothing of its axes"


def test_sizes_can_be_fixed() -> None:
    model = parsed("float[N, M] x", "float[N, M] y")
    fix_sizes(model, {"x": np.zeros((5, 2), np.float32)}, [0])
    assert (sizes(model.graph.input[0]), sizes(model.graph.output[0])) == ([5, "M"], [0, 0])
    fix_sizes(model, {"x": np.zeros((5, 2), np.float32)})
    assert sizes(model.graph.input[0]) == [5, 2]
