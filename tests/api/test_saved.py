"""The model that `optimized_model_filepath` writes says the same as the original, here and in onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

import sardonyx
from sardonyx.base import custom
from sardonyx.ir.value import Value
from sardonyx.ops import table
from tests.tolerance import difference

LINE = "float[2, 3] x"
TEXTS = {
    "functions": f"""
        g ({LINE}) => (float[2, 3] y) {{ a = own.f(x) y = own.g<k = 2.5>(a) }}
        <opset_import: ["" : 21], domain: "own">
        f (x) => (y) {{ o = Constant<value_float = 1.0>() y = Add(x, o) }}
        <opset_import: ["" : 21, "own" : 1], domain: "own">
        g <k> (x) => (y) {{ z = own.f(x) c = Constant<value_float : float = @k>() y = Mul(z, c) }}""",
    "a function called twice": f"""
        g ({LINE}) => (float[2, 3] y, float[2, 3] z) {{ y = own.f(x) z = own.f(y) }}
        <opset_import: ["" : 21], domain: "own">
        f (x) => (y) {{ o = Constant<value_floats = [1.0, 2.0, 3.0]>() z = Identity(x) y = Add(z, o) }}""",
    "If": f"""
        g ({LINE}, bool c) => (float[2, 3] y) <float[3] w = {{1, 2, 3}}> {{
            i = Identity(x)
            y = If(c) <
                then_branch = t () => (float[2, 3] p) <float[3] v = {{4, 5, 6}}> {{
                    q = Identity(i) r = Add(q, v) p = Mul(r, w) }},
                else_branch = e () => (float[2, 3] s) {{ s = Identity(i) }}> }}""",
    "a branch that gives what lies outside": f"""
        g ({LINE}, bool c) => (float[2, 3] y) {{
            a = Exp(x) b = Exp(x)
            y = If(c) <then_branch = t () => (float[2, 3] b) {{ n = Identity(b) }},
                       else_branch = e () => (float[2, 3] m) {{ m = Add(a, b) }}> }}""",
    "Loop": f"""
        g ({LINE}, int64 n) => (float[2, 3] y, float[K, 2, 3] ys) {{
            t = Constant<value = bool {{1}}>()
            y, ys = Loop(n, t, x) <body = b (int64 i, bool c, float[2, 3] s)
                => (bool d, float[2, 3] o, float[2, 3] u) {{
                d = Identity(c) k = Identity(x) o = Add(s, k) u = Identity(o) }}> }}""",
    "an inner name that hides an outer one": f"""
        g ({LINE}, int64 n) => (float[2, 3] y) {{
            t = Constant<value = bool {{1}}>() k = Identity(x)
            y = Loop(n, t, k) <body = b (int64 i, bool c, float[2, 3] k) => (bool d, float[2, 3] o) {{
                d = Identity(c) o = Mul(k, k) }}> }}""",
    "Scan": """
        g (float[3] x, float[N, 3] q) => (float[3] y, float[N, 3] ys) {
            y, ys = Scan<num_scan_inputs = 1, body = b (float[3] s, float[3] v) => (float[3] o, float[3] u) {
                o = Add(s, v) u = Mul(o, s) }>(x, q) }""",
    "sequences": f"g ({LINE}) => (float[M, 3] y) {{ s = SequenceConstruct(x, x) "
    "q = Identity(s) y = ConcatFromSequence<axis = 0>(q) }",
    "optionals": f"g ({LINE}) => (float[2, 3] y) {{ o = Optional(x) y = OptionalGetElement(o) }}",
    "texts": """g (string[N] t) => (int64[N] y) {
        y = ai.onnx.ml.LabelEncoder<keys_strings = ["a", "b"], values_int64s = [5, 6]>(t) }""",
    "com.microsoft": f"g ({LINE}) => (float[2, 3] y) {{ z = com.microsoft.Gelu(x) y = Identity(z) }}",
    "casts": f"""g ({LINE}, int64[3] w) => (float[2, 3] y) {{
        c = CastLike(w, x) d = Cast<to = 1>(c) y = Add(x, d) }}""",
    "duplicates": f"""g ({LINE}) => (float[2, 3] y, float[2, 3] a, float[2, 3] b) {{
        p = Exp(x) q = Exp(x) y = Add(p, q) a = Exp(x) b = Identity(a) dead = Log(x) }}""",
    "defaults of inputs": f"g ({LINE}, float[3] w) => (float[2, 3] y) <float[3] w = {{1, 2, 3}}> "
    "{ y = Add(x, w) }",
    "outputs that are inputs": f"g ({LINE}) => (float[2, 3] y, float[3] z) <float[3] w = {{1, 2, 3}}> "
    "{ y = Identity(x) z = Identity(w) }",
    "bfloat16": f"g ({LINE}) => (float[2, 3] y) <bfloat16[3] w = {{1, 2, 3}}> "
    "{ c = Cast<to = 1>(w) y = Add(x, c) }",
}
REFUSED_BY_PEER = {"a branch that gives what lies outside"}
SQUARE = np.arange(1024, dtype=np.float32).reshape(32, 32)


def parsed(text: str) -> onnx.ModelProto:
    opsets = '"" : 21, "ai.onnx.ml" : 4, "com.microsoft" : 1, "own" : 1'
    return parser.parse_model(f"<ir_version: 10, opset_import: [{opsets}]> {text}")


def with_sparse() -> helper.SparseTensorProto:
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.5, 2.5])
    places = helper.make_tensor("places", TensorProto.INT64, [2], [1, 10])
    return helper.make_sparse_tensor(values, places, [3, 4])


def sparse_initialiser() -> onnx.ModelProto:
    model = parsed(f"g ({LINE}) => (float[2, 4] y) {{ y = MatMul(x, w) }}")
    model.graph.sparse_initializer.append(with_sparse())
    return model


def sparse_constant() -> onnx.ModelProto:
    model = parsed(f"g ({LINE}) => (float[2, 4] y) {{ w = Constant() y = MatMul(x, w) }}")
    given = model.graph.node[0].attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
    given.sparse_tensor.CopyFrom(with_sparse())
    return model


def with_tensor(text: str, tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = parsed(text)
    model.graph.initializer.append(tensor)
    return model


MODELS = {
    **{name: parsed(text) for name, text in TEXTS.items()},
    "sparse initialisers": sparse_initialiser(),
    "sparse constants": sparse_constant(),
    "texts with signs": with_tensor(
        "g (string[N] t) => (string[N] y) { y = StringConcat(t, w) }",
        helper.make_tensor("w", TensorProto.STRING, [1], ["é\n\0€".encode()]),
    ),
    "int4": with_tensor(
        f"g ({LINE}) => (float[2, 3] y) {{ s = Constant<value_float = 0.5>() "
        "c = DequantizeLinear(w, s) y = Add(x, c) }",
        helper.make_tensor("w", TensorProto.INT4, [3], [1, -2, 3]),
    ),
    "large tensors": with_tensor(
        "g (float[N, 32] q) => (float[N, 32] y) { y = MatMul(q, w) }", numpy_helper.from_array(SQUARE, "w")
    ),
}


def feeds(model: onnx.ModelProto) -> dict[str, Any]:
    generator = np.random.default_rng(1)
    made = {"t": np.array(["a", "b"], object), "c": np.array(True), "n": np.array(3)}
    made["w"] = np.array([1, 2, 3], np.float32 if model.graph.initializer else np.int64)
    found = {}
    for value in model.graph.input:
        shape = [d.dim_value or 2 for d in value.type.tensor_type.shape.dim]
        found[value.name] = made.get(value.name, generator.normal(size=shape).astype(np.float32))
    return found


def written(source: str, folder: Path, apart: bool) -> str:
    folder.mkdir()
    options = sardonyx.SessionOptions()
    options.optimized_model_filepath = str(folder / "out.onnx")
    if apart:
        entry = "session.optimized_model_external_initializers"
        options.add_session_config_entry(f"{entry}_file_name", "out.bin")
        options.add_session_config_entry(f"{entry}_min_size_in_bytes", "1")
    sardonyx.InferenceSession(source, options)
    return options.optimized_model_filepath


def same(model: onnx.ModelProto, source: str, saved: str, engines: tuple[Any, ...]) -> None:
    for engine in engines:
        options = engine.SessionOptions()
        options.log_severity_level = 4
        given = feeds(model)
        before, after = (engine.InferenceSession(p, options).run(None, given) for p in (source, saved))
        for old, new in zip(before, after, strict=True):
            assert difference(new, old, length=32) is None


@pytest.mark.parametrize("apart", [False, True], ids=["inside", "external"])
@pytest.mark.parametrize("name", MODELS)
def test_it_says_the_same(name: str, apart: bool, tmp_path: Path) -> None:
    model = MODELS[name]
    onnx.save(model, tmp_path / "in.onnx")
    source = str(tmp_path / "in.onnx")
    engines = (sardonyx, onnxruntime) if name not in REFUSED_BY_PEER else (sardonyx,)
    same(model, source, written(source, tmp_path / "out", apart), engines)


def test_external_data_comes_along(tmp_path: Path) -> None:
    model = MODELS["large tensors"]
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    onnx.save(copy, tmp_path / "in.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    source = str(tmp_path / "in.onnx")
    saved = written(source, tmp_path / "out", apart=False)
    same(model, source, saved, (sardonyx, onnxruntime))
    assert [path.name for path in Path(saved).parent.iterdir()] == ["out.onnx"]


def test_an_operator_of_the_caller_stays(tmp_path: Path) -> None:
    @sardonyx.op("Twice", domain="own.saved")
    def twice(x: Value) -> Value:
        return x * 2.0

    model = parsed(f"g ({LINE}) => (float[2, 3] y) {{ a = Identity(x) y = own.saved.Twice(a) }}")
    model.opset_import.add(domain="own.saved", version=1)
    onnx.save(model, tmp_path / "in.onnx")
    source = str(tmp_path / "in.onnx")
    try:
        saved = written(source, tmp_path / "out", apart=False)
        same(model, source, saved, (sardonyx,))
    finally:
        table.withdraw(*custom.ADDED.pop())
    assert [node.domain for node in onnx.load(saved).graph.node] == ["own.saved"]


def test_what_is_needless_is_gone(tmp_path: Path) -> None:
    for name, operators in (
        ("duplicates", ["Exp", "Add", "Exp", "Identity"]),
        ("casts", ["Cast", "Add"]),
        ("com.microsoft", ["Gelu"]),
        ("sequences", ["SequenceConstruct", "ConcatFromSequence"]),
        ("a function called twice", ["Constant", "Add", "Add"]),
    ):
        onnx.save(MODELS[name], tmp_path / "in.onnx")
        saved = onnx.load(written(str(tmp_path / "in.onnx"), tmp_path / name, apart=False))
        assert [node.op_type for node in saved.graph.node] == operators
        assert not saved.functions


def test_what_the_model_says_of_itself_stays(tmp_path: Path) -> None:
    model = onnx.ModelProto.FromString(MODELS["functions"].SerializeToString())
    model.producer_name, model.doc_string, model.model_version = "someone", "what it does", 7
    model.metadata_props.add(key="kind", value="example")
    onnx.save(model, tmp_path / "in.onnx")
    saved = onnx.load(written(str(tmp_path / "in.onnx"), tmp_path / "out", apart=False))
    for field in ("producer_name", "doc_string", "model_version", "metadata_props"):
        assert getattr(saved, field) == getattr(model, field)
