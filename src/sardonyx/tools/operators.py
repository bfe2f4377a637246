"""Facts about every operator, from the registry and the schemas of the installed onnx: opsets, types, place.

Decides how they are written in a table; none of it is stated by hand.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import onnx
from onnx.reference import ReferenceEvaluator

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.compiler.bodies import CONTROL
from sardonyx.ir.prims import PRIMS, load_algorithms
from sardonyx.ops.table import Operator, operators

KINDS = ("opaque", "scan", "control")
TEXT = frozenset({"from_text", "text_hash", "to_text"})
OPS = "sardonyx.ops"
EIGHT_BITS = frozenset({dt.F8E4M3FN, dt.F8E4M3FNUZ, dt.F8E5M2, dt.F8E5M2FNUZ})
ROWS_OF_TYPES: tuple[tuple[DType, ...], ...] = (
    (dt.F16, dt.F32, dt.F64),
    (dt.BF16,),
    (dt.F8E8M0,),
    (dt.F4E2M1,),
    (dt.I2, dt.I4, dt.I8, dt.I16, dt.I32, dt.I64),
    (dt.U2, dt.U4, dt.U8, dt.U16, dt.U32, dt.U64),
    (dt.BOOL,),
    (dt.STRING,),
    (dt.C64, dt.C128),
)
CONTAINERS = ("seq", "optional", "map")
NATIVE, BODIES, FUNCTION, NOWHERE = "native", "bodies native", "function body", "nowhere"


class Fact(NamedTuple):
    """One row of the table, as text."""

    domain: str
    name: str
    opsets: str
    runs: str
    native_types: str
    host_types: str
    meaning: str


def facts() -> Iterator[Fact]:
    """All operators that are registered or have a schema, by domain and name."""
    load_algorithms()
    registered: dict[tuple[str, str], list[Operator]] = {}
    for operator in operators():
        registered.setdefault((operator.domain, operator.name), []).append(operator)
    for domain, name in sorted(registered.keys() | schemas().keys()):
        versions, history = registered.get((domain, name), []), schemas().get((domain, name), [])
        runs = place(versions[-1]) if versions else without_formula(history[-1])
        native, host = types(history, runs)
        meaning = (inspect.getdoc(versions[-1].build) or "").split("\n")[0] if versions else ""
        yield Fact(domain, name, opsets(versions, history), runs, native, host, meaning)


@functools.cache
def schemas() -> dict[tuple[str, str], list[Any]]:
    """The schemas of every operator, oldest first."""
    found: dict[tuple[str, str], list[Any]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault((schema.domain, schema.name), []).append(schema)
    return {key: sorted(history, key=lambda s: s.since_version) for key, history in found.items()}


@functools.cache
def newest_opset(domain: str) -> int:
    """The newest opset of a domain that onnx knows; 0 if it knows none."""
    known = (s.since_version for (d, _), history in schemas().items() if d == domain for s in history)
    return max(known, default=0)


def opsets(versions: Sequence[Operator], history: Sequence[Any]) -> str:
    """The opsets that changed the meaning, and the last one in which the operator is valid."""
    since = [operator.since for operator in versions] or [history[0].since_version]
    text = ", ".join(map(str, since))
    if not history:
        return text
    last = history[-1].since_version - 1 if history[-1].deprecated else newest_opset(history[-1].domain)
    return text if last == since[-1] else f"{text} to {last}"


def types(history: Sequence[Any], runs: str) -> tuple[str, str]:
    """The types that the newest valid schema allows: those of native code, those of the host."""
    valid = [schema for schema in history if not schema.deprecated]
    if not valid or runs == NOWHERE:
        return "", ""
    constraints = [allowed for c in valid[-1].type_constraints for allowed in c.allowed_type_strs]
    formal = [kind for side in (valid[-1].inputs, valid[-1].outputs) for p in side for kind in p.types]
    allowed = set(constraints or formal)
    by_name = {f"tensor({dtype.onnx_name})": dtype for dtype in dt.ALL}
    tensors = {by_name[name] for name in allowed if name in by_name}
    native = {d for d in tensors if d.is_native} if runs in (NATIVE, BODIES, FUNCTION) else set()
    containers = [kind for kind in CONTAINERS if any(name.startswith(f"{kind}(") for name in allowed)]
    return ", ".join(notation(native)), ", ".join([*notation(tensors - native), *containers])


def notation(dtypes: set[DType]) -> Iterator[str]:
    """Short names; types that follow each other in size as a range."""
    for row in ROWS_OF_TYPES:
        runs: list[list[DType]] = []
        for before, dtype in zip((None, *row), row, strict=False):
            if dtype in dtypes and before in dtypes:
                runs[-1].append(dtype)
            elif dtype in dtypes:
                runs.append([dtype])
        yield from (run[0].name if len(run) == 1 else f"{run[0].name}-{run[-1].name}" for run in runs)
        if row[0] is dt.BF16:
            eight = EIGHT_BITS & dtypes
            yield from ["f8"] if eight == EIGHT_BITS else sorted(dtype.name for dtype in eight)


@functools.cache
def executed() -> frozenset[str]:
    """The algorithms that targets of the first choice run in native code."""
    return targets.backend(Goal(targets.FAMILIES[0].targets[0])).native


def place(operator: Operator) -> str:
    """Where an operator runs, by the algorithms in its formula; text is the business of the types."""
    host = algorithms(operator.build) - executed() - TEXT
    if host & CONTROL:
        return BODIES
    return f"host: {', '.join(sorted(host))}" if host else NATIVE


def without_formula(schema: Any) -> str:
    """Where an operator runs that has a schema alone."""
    if schema.has_function or schema.has_context_dependent_function:
        return FUNCTION
    names = [f"x{n}" for n in range(schema.min_input)], [f"y{n}" for n in range(schema.min_output)]
    try:
        ReferenceEvaluator(onnx.helper.make_node(schema.name, *names, domain=schema.domain))
    except NotImplementedError:
        return NOWHERE
    return "host: ONNX's reference"


def algorithms(build: Any, seen: set[Any] | None = None) -> set[str]:
    """Names of primitives of kinds opaque, scan and control that a function or those it calls may build."""
    seen = set() if seen is None else seen
    if build in seen:
        return set()
    seen.add(build)
    found: set[str] = set()
    for code in codes(build.__code__):
        found |= {name for name in strings(code) if name in PRIMS and PRIMS[name].kind in KINDS}
        named = [build.__globals__[name] for name in code.co_names if name in build.__globals__]
        modules = [m for m in named if isinstance(m, ModuleType) and m.__name__.startswith(OPS)]
        named += [getattr(m, name) for m in modules for name in code.co_names if hasattr(m, name)]
        named += [method for item in named if isinstance(item, type) for method in vars(item).values()]
        for callee in named:
            if isinstance(callee, FunctionType) and callee.__module__.startswith(OPS):
                found |= algorithms(callee, seen)
    return found


def codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def strings(code: CodeType) -> Iterator[str]:
    """The text constants of a function."""
    for constant in code.co_consts:
        yield from (
            c for c in (constant if isinstance(constant, tuple) else (constant,)) if isinstance(c, str)
        )
