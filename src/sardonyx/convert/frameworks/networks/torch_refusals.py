"""What torch's exporters say when they give up, as a sentence: the operator, the user's line, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sardonyx.convert.frameworks.networks.places import place_of

OPERATOR = re.compile(r"op='([^']+)'|operator '?(\w+::\w+)")
GAPS = ("No ONNX function", "No decompositions", "UnsupportedOperator")


def refusal(error: BaseException, program: Callable[[], Any] | None = None) -> str:
    """One sentence for the user; `program` makes the program in which an operator's line is found."""
    text = _whole(error)
    where = place_of(text)
    if depends_on_data(error):
        return (
            f"the module's Python code decides by the content of a tensor{where}; "
            "write that with torch.where or torch.cond, or script the module (torch.jit.script) and save that"
        )
    if "Constraints violated" in text or ("pecialized" in text and "Dim" in text):
        reason = next((line.strip(" -") for line in text.splitlines() if "pecializ" in line), "")
        return f"a free axis cannot be free{where}: {reason or 'the module fixes its size'}"
    operator = OPERATOR.search(text)
    if operator and any(gap in text for gap in GAPS):
        name = next(part for part in operator.groups() if part)
        where = where or _place_in(program, name)
        return (
            f"the operator {name} has no ONNX form{where}; replace it by others, or "
            "export a module that leaves it out and compute it outside"
        )
    said = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return f"torch.onnx cannot export it ({type(error).__name__}: {said[:300]}){where}"


def depends_on_data(error: BaseException) -> bool:
    """Whether Python code branches on the content of tensors: then tracing would keep one branch for all."""
    text = _whole(error)
    return any(sign in text for sign in ("data-dependent", "GuardOnDataDependent", "DynamicControlFlow"))


def _place_in(program: Callable[[], Any] | None, operator: str) -> str:
    if program is None:
        return ""
    name = re.split(r"[.:]+", operator)[1]
    try:
        nodes = program().graph.nodes
    except Exception:  # no place is known then
        return ""
    for node in nodes:
        if node.op == "call_function" and name in str(node.target):
            return place_of(node.meta.get("stack_trace") or "")
    return ""


def _whole(error: BaseException) -> str:
    """The texts of an error and of those behind it, the first cause first."""
    texts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(texts) < 8:
        texts.append(str(seen))
        seen = seen.__cause__ or seen.__context__
    return "\n".join(reversed(texts))
