"""What PyTorch says becomes one sentence with the operator, the user's own line and what to do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sardonyx.convert.frameworks.networks.torch_refusals import depends_on_data, refusal

LIBRARY = '  File "/lib/site-packages/torch/x.py", line 9, in inner\n    return fold(x)\n'
OWN = '  File "/home/me/net.py", line 12, in forward\n    y = fold(x)\n'
PLACE = r", in forward \(/home/me/net\.py:12: y = fold\(x\)\)"


def chained(*texts: str) -> Exception:
    """An error, with those that follow as its causes."""
    error: Exception | None = None
    for text in reversed(texts):
        made = RuntimeError(text)
        made.__cause__ = error
        error = made
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            chained(f"Could not guard on data-dependent expression\n{OWN}{LIBRARY}"),
            rf"content of a tensor{PLACE}; write",
        ),
        (chained("export failed", f"GuardOnDataDependentSymNode\n{OWN}"), rf"content of a tensor{PLACE}"),
        (
            chained(" - batch was specialized to 2\nDim(batch)"),
            "a free axis cannot be free: batch was specialized to 2",
        ),
        (chained("Constraints violated"), "a free axis cannot be free: the module fixes its size"),
        (
            chained(f"No ONNX function found for op='aten.fold.default'\n{OWN}"),
            rf"the operator aten\.fold\.default has no ONNX form{PLACE}; rep",
        ),
        (
            chained("UnsupportedOperatorError: operator 'aten::fold'"),
            "the operator aten::fold has no ONNX form; replace",
        ),
        (chained("\n\n odd \nmore"), r"torch\.onnx cannot export it \(RuntimeError: odd\)$"),
        (chained(""), r"torch\.onnx cannot export it \(RuntimeError: RuntimeError\)$"),
    ],
)
def test_sentences(error: Exception, told: str) -> None:
    with pytest.raises(RuntimeError, match=told):
        raise RuntimeError(refusal(error))


def test_the_place_of_an_operator_is_found_in_the_program() -> None:
    error = chained("No ONNX function found for op='aten.fold.default'")
    nodes = [
        SimpleNamespace(op="placeholder", target="aten.fold", meta={}),
        SimpleNamespace(op="call_function", target="aten.fold.default", meta={"stack_trace": OWN + LIBRARY}),
    ]
    program = SimpleNamespace(graph=SimpleNamespace(nodes=nodes))
    assert "in forward (/home/me/net.py:12: y = fold(x))" in refusal(error, lambda: program)
    nodes[1].meta = {}
    assert "form; replace" in refusal(error, lambda: program)
    assert "form; replace" in refusal(error, lambda: None)


def test_what_depends_on_data() -> None:
    assert depends_on_data(chained("failed", "DynamicControlFlow here"))
    assert not depends_on_data(chained("failed", "Constraints violated"))
