"""Operators by domain, name and opset. An operator is one function over values; its signature is its schema.

Positional parameters are inputs (`| None` optional, `*xs` variadic), keyword-only ones are attributes.
A keyword-only parameter named `node` receives the `Node` itself instead of an attribute; one whose default
is a record of `Attributes` stands for the fields of the record.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sardonyx.base.dataclass import dataclass, field, fields, replace
from sardonyx.base.named import NamedTuple
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value

Result = Value | tuple[Value | None, ...]
Build = Callable[..., Any]
F = TypeVar("F", bound=Build)


class Texts(NamedTuple):
    """A long list of few texts, as an attribute: the different ones, and which of them each is."""

    names: tuple[str, ...]
    codes: npt.NDArray[np.uint8]


class Attributes:
    """Attributes that several operators share: a dataclass derived from this is one parameter of theirs."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Node:
    """What an operator function may know about the node it builds, beyond its attributes."""

    op: str
    name: str
    opset: int
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Operator:
    """One registered meaning of an operator, valid from opset `since` on.

    `inputs` are the least and the greatest number of inputs (None: any), `attributes` the types of the
    attributes as the signature writes them, `required` those without a default, `gaps` the inputs among the
    least number that may be missing nevertheless, `rest` the first input of any number of which none may be
    missing, `reals` the defaults that are real numbers, in single precision as a model holds them, `records`
    the attributes that are handed over in one parameter; all are read off the signature. One that is not
    `strict` ignores attributes that it does not know.
    """

    domain: str
    name: str
    since: int
    build: Build
    wants_node: bool
    inputs: tuple[int, int | None]
    attributes: Mapping[str, str]
    required: frozenset[str]
    gaps: frozenset[int] = frozenset()
    rest: int | None = None
    reals: Mapping[str, float] = field(default_factory=dict)
    records: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = True

    def __call__(self, node: Node, inputs: list[Value | None]) -> tuple[Value | None, ...]:
        """Build the values of a node; always a tuple."""
        given = node.attributes
        if not self.strict:
            given = {name: value for name, value in given.items() if name in self.attributes}
        attributes = {**self.reals, **given}
        for name, record in self.records.items():
            names = [f.name for f in fields(record) if f.name in attributes]
            attributes[name] = replace(record, **{own: attributes.pop(own) for own in names})
        if self.wants_node:
            attributes["node"] = node
        result = self.build(*inputs, **attributes)
        return result if isinstance(result, tuple) else (result,)


class _Registered(NamedTuple):
    """An operator before its signature is read: a file registers many, of which a model asks for few."""

    domain: str
    name: str
    since: int
    build: Build
    strict: bool


_operators: dict[tuple[str, str], list[_Registered]] = {}


def op(name: str, since: int = 1, domain: str = "", strict: bool = True) -> Callable[[F], F]:
    """Register a function as the meaning of an operator from opset `since` on.

    Nodes of an operator that is not `strict` may carry attributes without a meaning: no schema of the ONNX
    standard rules them, and peers ignore them.
    """

    def add(build: F) -> F:
        versions = _operators.setdefault((domain, name), [])
        versions.append(_Registered(domain, name, since, build, strict))
        versions.sort(key=lambda o: o.since)
        return build

    return add


@cache
def _parameters(build: Build) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(build).parameters.values())


@cache
def _operator(registered: _Registered) -> Operator:
    """What the signature of an operator says."""
    domain, name, since, build, strict = registered
    parameters = _parameters(build)
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    attributes = list(attributes_of(build))
    least = sum(p.default is p.empty for p in positional)
    others = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    whole = bool(others) and "None" not in str(others[0].annotation)
    return Operator(
        domain,
        name,
        since,
        build,
        any(p.name == "node" for p in parameters),
        (least, None if others else len(positional)),
        {a.name: a.type for a in attributes},
        frozenset(a.name for a in attributes if a.default is inspect.Parameter.empty),
        frozenset(
            n for n, p in enumerate(positional) if p.default is p.empty and "None" in str(p.annotation)
        ),
        len(positional) if whole else None,
        {a.name: float(np.float32(a.default)) for a in attributes if isinstance(a.default, float)},
        {p.name: p.default for p in parameters if isinstance(p.default, Attributes)},
        strict,
    )


class Attribute(NamedTuple):
    """One attribute of a signature: its type as it is written, `Parameter.empty` if it has no default."""

    name: str
    type: str
    default: Any


def attributes_of(build: Build) -> Iterator[Attribute]:
    """The attributes of an operator's function, those of records among them."""
    for p in _parameters(build):
        if isinstance(p.default, Attributes):
            record: Any = p.default
            yield from (Attribute(f.name, str(f.type), getattr(record, f.name)) for f in fields(record))
        elif p.kind is p.KEYWORD_ONLY and p.name != "node":
            yield Attribute(p.name, str(p.annotation), p.default)


def withdraw(domain: str, name: str, since: int) -> None:
    """Take back the meaning of an operator from that opset on."""
    versions = _operators[domain, name]
    versions[:] = [operator for operator in versions if operator.since != since]


def newest(domain: str) -> int | None:
    """The opset of a domain's newest meaning; None if nothing is registered in it."""
    found = [o.since for (of, _), versions in _operators.items() if of == domain for o in versions]
    return max(found, default=None)


def lookup(domain: str, name: str, opset: int) -> Operator:
    """The newest meaning not newer than `opset`. Raises UnsupportedOp if there is none."""
    chosen = [o for o in _operators.get((domain, name), []) if o.since <= opset]
    if not chosen:
        shown = f"{domain}.{name}" if domain else name
        raise UnsupportedOp(f"{shown}-{opset}: this operator is not supported{_alike(domain, name)}")
    return _operator(chosen[-1])


def _alike(domain: str, name: str) -> str:
    """A question whether a known operator is meant, if one has nearly this name."""
    from difflib import get_close_matches

    known = [key for key in reversed([*_operators]) if key[0] in (domain, "") and key != (domain, name)]
    names = {n: f"{of}.{n}" if of else f"{n} of ai.onnx" if domain else n for of, n in known}
    near = get_close_matches(name, names, 1, 0.8)
    return f"; is {names[near[0]]} meant?" if near else ""


def operators() -> list[Operator]:
    """All registered meanings, sorted."""
    found = (_operator(o) for versions in _operators.values() for o in versions)
    return sorted(found, key=lambda o: (o.domain, o.name, o.since))
