"""How large a model is written out, told before anything is built."""

from __future__ import annotations

import onnx
import pytest

from sardonyx.errors import LoadError
from sardonyx.frontend import extent
from sardonyx.frontend.extent import Extent


def measured(text: str, *functions: str) -> Extent:
    """The extent of a graph; functions are texts `name: body`, of the domain own."""
    parsed = {}
    for function in functions:
        name, body = function.split(": ")
        made = onnx.parser.parse_function(
            f'<opset_import: ["" : 21], domain: "own"> {name} (x) => (y) {{ {body} }}'
        )
        parsed["own", name, ""] = made
    found = Extent()
    found.of(onnx.parser.parse_graph(f"g () => () {{ {text} }}").node, parsed)
    return found


def test_functions_that_others_call_are_counted_once() -> None:
    twice = [f"f{n}: h = own.f{n - 1}(x) y = own.f{n - 1}(h)" for n in range(1, 60)]
    with pytest.raises(LoadError, match=r"written out, the function own.f18 has more than 500000 nodes"):
        measured("y = own.f59(x)", "f0: y = Neg(x)", *twice)
    measured("y = own.f9(x)", "f0: y = Neg(x)", *twice)


@pytest.mark.parametrize("rings", [1, 3])
def test_a_ring_of_functions_is_named(rings: int) -> None:
    ring = [f"f{n}: y = own.f{(n + 1) % rings}(x)" for n in range(rings)]
    path = " -> ".join(f"own.f{n % rings}" for n in range(rings + 1))
    with pytest.raises(LoadError, match=rf"^the function own.f0 calls itself \({path}\)"):
        measured("y = own.f0(x)", *ring)
    measured("y = own.other(x)", "other: y = Neg(x)", *ring)


def test_depth_is_that_of_functions_and_bodies_together() -> None:
    def branch(call: str) -> str:
        return f"y = If(x) <then_branch = t () => (float z) {{ z = {call} }}>"

    def chain(length: int) -> list[str]:
        return ["f0: y = Neg(x)", *(f"f{n}: {branch(f'own.f{n - 1}(x)')}" for n in range(1, length))]

    measured("y = own.f31(x)", *chain(32))
    for length in (33, 500):
        with pytest.raises(LoadError, match="nested more than 64 deep"):
            measured(f"{branch(f'own.f{length - 1}(x)')}", *chain(length))


def test_nodes_are_built_some_times_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "FEW_NODES", 10)
    monkeypatch.setattr(extent, "MAX_REPEATS", 3)
    found = measured("a = Neg(x) b = own.f(a)", "f: y = Neg(x)")
    for _ in range(10 + 3 * 3):
        found.add()
    with pytest.raises(LoadError, match="too many loops lie in each other"):
        found.add()
    assert found.built == 19
