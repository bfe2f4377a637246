"""Functions of JAX: where their inputs come from, and what is done if no free batch can be had."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import jax
from tests.unit.convert.frameworks.standins import Calls, install, places

PAIR = np.arange(4, dtype=np.float32).reshape(2, 2)


def added(x: Any, y: Any) -> Any:
    return {"sum": x + y}


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls(lambda model, output_path, **_: output_path)
    install(
        monkeypatch,
        "jax",
        numpy=np,
        tree_util=SimpleNamespace(tree_flatten_with_path=lambda answer: (places(answer), None)),
        export=SimpleNamespace(
            SymbolicScope=object,
            symbolic_shape=lambda text, scope: [f"<{part}>" for part in text.split(", ")],
        ),
        ShapeDtypeStruct=lambda shape, dtype: (shape, str(dtype)),
    )
    install(monkeypatch, "jax2onnx", to_onnx=calls)
    return calls


def test_files_are_refused() -> None:
    with pytest.raises(ConvertError, match=r"m\.npz: JAX saves parameters, not models"):
        jax.load("m.npz", Request())


def test_example_inputs_beside_the_function(exporter: Calls, tmp_path: Path) -> None:
    made = jax.export((added, PAIR, PAIR.astype(np.int32)), Request(opset=21), tmp_path / "m.onnx")
    assert exporter[0]["inputs"] == [("batch", 2), (("<batch>", "<2>"), "int32")]
    assert (exporter[0]["opset"], exporter[0]["input_names"]) == (21, ["x", "y"])
    assert (made.drawn, made.notes, made.axes["x"]) == (False, (), {0: "batch"})
    assert made.cases[1].answers[0].tolist() == [[0, 2]]


def test_a_fixed_batch_is_told(exporter: Calls, tmp_path: Path) -> None:
    exporter.errors += [ValueError("no  free\nsizes"), None]
    made = jax.export(added, Request({"x": PAIR, "y": PAIR}), tmp_path / "m.onnx")
    assert made.notes == ("all sizes are fixed: ValueError: no free sizes",)
    assert made.axes == {"x": {}, "y": {}} and len(made.cases) == 1
    assert exporter[1]["inputs"] == [(2, 2)] * 2


@pytest.mark.parametrize(("dynamic", "calls"), [(("rows",), 1), ((), 2)])
def test_what_cannot_be_converted(
    dynamic: tuple[str, ...], calls: int, exporter: Calls, tmp_path: Path
) -> None:
    exporter.errors += [ValueError("first"), TypeError("second")]
    said = "ValueError: first" if dynamic else "TypeError: second"
    with pytest.raises(ConvertError, match=rf"jax2onnx cannot convert it \({said}\)"):
        jax.export((added, PAIR, PAIR), Request(dynamic=dynamic), tmp_path / "m.onnx")
    assert len(exporter) == calls


JAXPR = """{ lambda ; a:f32[2,2] b:f32[2,2]. let
    c:f32[2,2] = add a b  # /home/me/net.py:11:8 (f)
    e:f32[2,2] = lgamma_grad c  # /home/me/net.py:10:4 (f)
    d:f32[2,2] = lgamma c  # /home/me/net.py:12:4 (f)
  in (d,) }"""


def test_a_primitive_without_onnx_form_is_named_with_its_line(
    exporter: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = SimpleNamespace(pretty_print=lambda source_info: JAXPR)
    monkeypatch.setattr(sys.modules["jax"], "make_jaxpr", lambda model: lambda *feeds: traced, raising=False)
    for primitive, place in (("lgamma", r", in f \(/home/me/net\.py:12\); rep"), ("sort", "; replace it")):
        exporter.errors += [NotImplementedError(f"No plugins registered for primitive '{primitive}'")] * 2
        with pytest.raises(ConvertError, match=f"operator {primitive} has no ONNX form{place}"):
            jax.export((added, PAIR, PAIR), Request(), tmp_path / "m.onnx")


def lowered(eqn: Any, then: Any) -> None:
    """A converter of a primitive, which knows the equation that it is at."""
    then()


def refused() -> None:
    raise NotImplementedError("rank-2 inputs only")


@pytest.mark.parametrize("place", ["/home/me/net.py:10:4 (f)", "somewhere"])
def test_an_equation_that_is_refused_is_named_with_its_line(
    place: str, exporter: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, "jax._src")
    install(monkeypatch, "jax._src.source_info_util", summarize=lambda info: info)
    outer = SimpleNamespace(primitive=SimpleNamespace(name="pjit"), source_info=place)
    inner = SimpleNamespace(primitive=SimpleNamespace(name="qr"), source_info="a library")
    exporter.path = lambda *_, **__: lowered(outer, lambda: lowered(inner, refused))  # type: ignore[assignment]
    where = r", in f \(/home/me/net\.py:10\)" if "(" in place else ""
    with pytest.raises(
        ConvertError, match=rf"cannot convert JAX's operator qr{where} \(NotImplementedError: rank-2 .*; repl"
    ):
        jax.export((added, PAIR, PAIR), Request(), tmp_path / "m.onnx")


def test_code_that_decides_by_content_is_told_with_its_line(exporter: Calls, tmp_path: Path) -> None:
    class TracerBoolConversionError(TypeError):
        """JAX's."""

    exporter.errors += [TracerBoolConversionError("Attempted boolean conversion")] * 2
    with pytest.raises(ConvertError, match=r"decides by the content of an array, in .*; write that with jax"):
        jax.export((added, PAIR, PAIR), Request(), tmp_path / "m.onnx")


def test_shapes_are_stated_or_asked_for(exporter: Calls, tmp_path: Path) -> None:
    made = jax.export(added, Request(options={"inputs": ["2,2", "2,2"]}), tmp_path / "m.onnx")
    assert made.drawn and len(made.cases) == 3
    with pytest.raises(
        ConvertError, match=r"its inputs \(x, y\) are not known; .*'inputs': \['x=1,224,224,3"
    ):
        jax.export(added, Request(), tmp_path / "m.onnx")


def test_what_is_no_function_of_inputs_is_told(exporter: Calls, tmp_path: Path) -> None:
    for model, said in (
        (PAIR, "class ndarray is no function or module of JAX .*the network itself, not what it answers"),
        (lambda: PAIR, "of JAX takes no input, so that its answer is a constant"),
        ((added, {"w": PAIR}, PAIR), "the example input x is a dict, .* a callable that has them inside"),
        ((added, PAIR, [PAIR, PAIR]), "the example input y is a list, .*each array as an input of its own"),
    ):
        with pytest.raises(ConvertError, match=said):
            jax.export(model, Request(), tmp_path / "m.onnx")
    assert not exporter


def test_outputs_have_their_names(exporter: Calls, tmp_path: Path) -> None:
    made = jax.export((added, PAIR, PAIR), Request(), tmp_path / "m.onnx")
    assert made.outputs == ("sum",)
    assert jax.export((lambda x: (x, [x]), PAIR), Request(), tmp_path / "m.onnx").outputs == (
        "output_0",
        "output_1",
    )


def test_more_example_inputs_than_it_takes_are_refused(exporter: Calls, tmp_path: Path) -> None:
    with pytest.raises(
        ConvertError, match=r"example inputs 3 are not among .* 2 inputs \(x, y\); give one for"
    ):
        jax.export((added, PAIR, PAIR, PAIR), Request(), tmp_path / "m.onnx")
    made = jax.export((lambda x, *others: x, PAIR, PAIR, PAIR), Request(), tmp_path / "m.onnx")
    assert list(made.cases[0].feeds) == ["x", "x1", "x2"]
