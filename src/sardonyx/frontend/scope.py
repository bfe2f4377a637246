"""Builds values from nodes: names, captured outer values, functions and subgraphs.

Decides in which order a node gets its meaning: model function, registered operator, body of the ONNX
schema, reference evaluator. Must not know files or graph inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.dim import Dim
from sardonyx.base.report import FallbackNote
from sardonyx.errors import LoadError, NeedsContent, SardonyxError, UnsupportedOp, why_malformed
from sardonyx.frontend import attributes, constants, constraints
from sardonyx.frontend.extent import Extent, check_depth
from sardonyx.frontend.messages import FunctionProto, TensorProto
from sardonyx.frontend.order import order_of, reads, unread_of
from sardonyx.frontend.schemas import has_schema, newest_opset, schema_of
from sardonyx.frontend.tensors import TensorReader
from sardonyx.frontend.types import formal
from sardonyx.ir.data_size import source_of
from sardonyx.ir.graph import symbols_of
from sardonyx.ir.origin import origin
from sardonyx.ir.premise import only_premises
from sardonyx.ir.value import Value, const
from sardonyx.ops import register, register_all
from sardonyx.ops.operands import naming
from sardonyx.ops.subgraph import Body, Formal, Inline, enclosed
from sardonyx.ops.table import Node, Operator, lookup, newest

if TYPE_CHECKING:
    import onnx

_MOST_CHOICES = 16
_FORBIDDEN = 'The option fallback="error" forbids the reference evaluator'
_ALL_PREMISES = nullcontext()
MALFORMED = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError),
    *(MemoryError, RecursionError),
)
"""What operator functions and numpy raise when a node makes no sense."""


class Found(Exception):  # noqa: N818
    """All tensors that were sought have their values."""


@dataclass(frozen=True, slots=True)
class Model:
    """What all scopes of one file share.

    `askable` are the inputs whose content may be asked for, `sizes` the free sizes: input and axis by name;
    `operators` collects the operator of each node by its name, `named` the tensors outside of closed bodies
    by value, those of functions with the path of their call; `extent` counts the nodes, `outer` are
    the values that stand-ins in closed bodies stand for, by these. Tensors in `contents` are known; once all
    that are `sought` are found, nothing more is read.
    """

    functions: Mapping[tuple[str, str, str], onnx.FunctionProto]
    tensors: TensorReader
    fallbacks: list[tuple[FallbackNote, bytes]] = field(default_factory=list)
    askable: set[str] = field(default_factory=set)
    sizes: dict[str, tuple[str, int]] = field(default_factory=dict)
    operators: dict[str, str] = field(default_factory=dict)
    named: dict[int, str] = field(default_factory=dict)
    outer: dict[int, Value] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    contents: Mapping[str, Any] = field(default_factory=dict)
    sought: dict[str, Value | None] = field(default_factory=dict)
    allow_fallback: bool = True
    meanings: dict[tuple[str, str, int], Operator] = field(default_factory=dict)
    extent: Extent = field(default_factory=Extent)

    def meaning(self, domain: str, name: str, opset: int) -> Operator:
        """What nodes of an operator are; looked up once. Raises UnsupportedOp if it is not known."""
        key = (domain, name, opset)
        if key not in self.meanings:
            register(domain, name)
            self.meanings[key] = lookup(*key)
        return self.meanings[key]

    def question(self, error: NeedsContent) -> NeedsContent:
        """The error with what a feed must tell: where sizes are found, or the names of computed tensors."""
        if error.answerable:
            return error
        error.sizes = tuple((s[0], *self.sizes[s[0]]) for s in error.sizes if s[0] in self.sizes)
        error.units = tuple((s[0], *self.sizes[s[0]]) for s in error.units if s[0] in self.sizes)
        needed = error.inputs or error.sizes or error.units
        error.answerable = bool(needed) and self.askable.issuperset(error.inputs)
        if not error.answerable and (names := self.computed(error.wanted)):
            error = NeedsContent(str(error), tensors=tuple(sorted(names)))
            error.answerable = True
        return error

    def name(self, value: Value, name: str) -> Value:
        """Note the name of a tensor; the value itself, or its content if that is known.

        What is built again has no name: its content may be another.
        """
        if name in self.taken:
            return value
        self.taken.add(name)
        if name in self.contents:
            value = const(np.asarray(self.contents[name], value.dtype.numpy))
        self.named[value.id] = name
        if name in self.sought:
            self.sought[name] = value
            if all(found is not None for found in self.sought.values()):
                raise Found
        return value

    def computed(self, values: Sequence[Any]) -> set[str] | None:
        """Names of small tensors that tell the content of values; None if they do not."""
        found: set[str] = set()
        seen: set[int] = set()
        stack = list(values)
        while stack:
            value = stack.pop()
            if value.id in seen or (value.is_const and not any(map(source_of, symbols_of(value)))):
                continue
            seen.add(value.id)
            name = self.named.get(value.id)
            if name is not None and _is_choice(value):
                found.add(name)
            elif value.args:
                stack += value.args
            elif value.id in self.outer:
                stack.append(self.outer[value.id])
            else:
                return None
        return found


@dataclass(slots=True)
class Scope:
    """The names of one graph, function body or subgraph, and how nodes become values among them.

    `captured` is None if outer values may be used as they are; in a closed body it collects them, each
    with the placeholder that stands for it inside. `current` is the first result of the node that is built.
    """

    model: Model
    opsets: Mapping[str, int]
    parent: Scope | None = None
    values: dict[str, Value | None] = field(default_factory=dict)
    arguments: Mapping[str, onnx.AttributeProto] = field(default_factory=dict)
    captured: dict[int, tuple[Value, Value]] | None = None
    prefix: str = ""
    depth: int = 0
    closed: bool = False
    current: str = ""

    def find(self, name: str) -> Value | None:
        """The value of a name here or in an outer scope; "" is a missing optional input."""
        if name in self.values:
            return self.values[name]
        if not name:
            return None
        if self.parent is None:
            raise LoadError(f'nothing defines the tensor "{name}"', kind="undefined")
        outer = self.parent.find(name)
        if outer is not None and self.captured is not None and not outer.is_const:
            if outer.id not in self.captured:
                inner = Value(
                    "input", (), {**outer.attrs, "name": name}, outer.dtype, outer.shape, None, outer.results
                )
                self.captured[outer.id] = (outer, inner)
                self.model.outer[inner.id] = outer
            outer = self.captured[outer.id][1]
        self.values[name] = outer
        return outer

    def define(self, name: str, value: Value | None) -> None:
        """Give a name its value; LoadError if it has one already."""
        if name:
            if name in self.values and self.values[name] is not value:
                raise LoadError(f'the tensor "{name}" is defined twice')
            self.values[name] = value

    def initialise(self, graph: onnx.GraphProto, skip: frozenset[str] = frozenset()) -> None:
        """Define the initialisers of a graph except those named in `skip`."""
        read = self.model.tensors
        for name, proto in constants.initialisers(graph).items():
            if name not in skip:
                plain = isinstance(proto, TensorProto)
                self.define(name, const(read.dense(proto) if plain else read.sparse(proto)))

    def build(self, nodes: Sequence[onnx.NodeProto], wanted: Iterable[str]) -> None:
        """Build nodes in an order in which every name is defined before it is used.

        Nothing is asked of nodes that give nothing; of those that the tensors `wanted` do not come from, what
        they assume of computed sizes is forgotten: it alone would have them computed.
        """
        check_depth(self.depth)
        nodes = constants.last_of_each(nodes)
        read = [reads(node) for node in nodes]
        order = order_of(nodes, read, self.values)
        unread = unread_of(nodes, read, order, wanted)
        with naming(self._decisive):
            self._build(nodes, order, unread)

    def _build(self, nodes: Sequence[onnx.NodeProto], order: Iterable[int], unread: Container[int]) -> None:
        for number, index in enumerate(order):
            proto = nodes[index]
            self.model.extent.add()
            if not any(proto.output):
                continue
            name = self.prefix + (proto.name or f"{proto.op_type}_{number}")
            operator = self.model.operators[name] = shown(proto)
            self.current = next(filter(None, proto.output))
            with origin(name), only_premises(_is_given) if index in unread else _ALL_PREMISES:
                try:
                    self._node(proto, name)
                except SardonyxError as error:
                    error.args = (_placed(name, operator, str(error)),)
                    raise
                except MALFORMED as error:
                    raise LoadError(f"{name} ({operator}): {why_malformed(error)}") from error

    def _decisive(self, value: Value) -> Value | None:
        """See `Naming`; in a closed body each iteration may have another."""
        return None if self.closed else self.model.name(value, f"{self.prefix}{self.current}?")

    def _node(self, proto: onnx.NodeProto, name: str) -> None:
        if any(a.ref_attr_name for a in proto.attribute):
            proto = attributes.resolved(proto, self.arguments)
        inputs = [self.find(i) for i in proto.input]
        while inputs and inputs[-1] is None:
            inputs.pop()
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        functions = self.model.functions
        function = functions.get((domain, proto.op_type, proto.overload)) if functions else None
        if function is not None:
            results: Sequence[Value | None] = self._call(function, proto, inputs, name)
        else:
            results = self._operator(proto, domain, inputs, name)
        if len(results) < sum(map(bool, proto.output)):
            raise LoadError(f"it has {len(results)} results, the node names {len(proto.output)}")
        for output, value in zip(proto.output, results, strict=False):
            if output and value is None:
                raise UnsupportedOp(f'its result "{output}" is not available')
            if output and value is not None and not self.closed:
                value = self.model.name(value, self.prefix + output)
            self.define(output, value)

    def _operator(
        self, proto: onnx.NodeProto, domain: str, inputs: list[Value | None], name: str
    ) -> Sequence[Value | None]:
        opset = self._opset(domain)
        try:
            operator = self.model.meaning(domain, proto.op_type, opset)
            given = attributes.Reader(self.model.tensors, self.subgraph).decode(proto.attribute)
            node = Node(proto.op_type, name, opset, tuple(proto.output), given, domain)
            attributes.check(operator, node, inputs)
            constraints.check(proto.op_type, opset, domain, inputs)
            return operator(node, inputs)
        except UnsupportedOp as error:
            refusal = self.model.question(error) if isinstance(error, NeedsContent) else error
        if isinstance(refusal, NeedsContent) and refusal.answerable:
            raise refusal
        try:
            return self._otherwise(proto, domain, inputs, name, refusal)
        except UnsupportedOp:
            if isinstance(refusal, NeedsContent) and self.closed:
                raise refusal from None
            raise

    def _opset(self, domain: str) -> int:
        """The opset of a domain; the newest one of a known domain that the model does not import."""
        if domain in self.opsets:
            return self.opsets[domain]
        register_all()
        known = newest_opset() if not domain else newest(domain)
        if known is None:
            raise LoadError(f'the model imports no opset for the domain "{domain}"', kind="graph")
        return known

    def _otherwise(
        self,
        proto: onnx.NodeProto,
        domain: str,
        inputs: list[Value | None],
        name: str,
        refusal: UnsupportedOp,
    ) -> Sequence[Value | None]:
        """What a node gives by the body of its schema, or in the reference evaluator."""
        opset, proto = self._opset(domain), attributes.whole(proto, self.model.tensors.taken)
        function = schema_function(proto, domain, opset, inputs)
        if function is not None:
            defaults = schema_of(proto.op_type, opset, domain).attributes.values()
            return self._call(function, proto, inputs, name, [d.default_value for d in defaults])
        from sardonyx.frontend import fallback

        reason = str(refusal)
        if refusal.kind == "unknown" or _FORBIDDEN in reason:
            raise refusal
        if not self.model.allow_fallback:
            raise UnsupportedOp(f"{reason}. {_FORBIDDEN}")
        try:
            found = fallback.reference(proto, opset, inputs)
        except UnsupportedOp as error:
            if str(error) in reason:
                raise refusal from None
            if has_schema(proto.op_type, proto.domain):
                raise UnsupportedOp(f"{reason}; {error}") from error
            raise UnsupportedOp(f"{reason}; @sardonyx.op adds one of your own", kind="unknown") from error
        if found:
            note = FallbackNote(shown(proto), name, reason)
            self.model.fallbacks.append((note, fallback.node_of(found[0])))
        results = iter(found)
        return [next(results) if output else None for output in proto.output]

    def _call(
        self,
        function: onnx.FunctionProto,
        proto: onnx.NodeProto,
        inputs: list[Value | None],
        name: str,
        defaults: Sequence[onnx.AttributeProto] = (),
    ) -> Sequence[Value | None]:
        if len(inputs) > len(function.input):
            raise LoadError(f"it has {len(inputs)} inputs, its function takes {len(function.input)}")
        missing = len(function.input) - len(inputs)
        arguments = {a.name: a for a in (*function.attribute_proto, *defaults, *proto.attribute) if a.name}
        scope = Scope(
            self.model,
            {"": newest_opset(), **self.opsets, **opsets_of(function.opset_import)},
            values=dict(zip(function.input, [*inputs, *[None] * missing], strict=True)),
            arguments=arguments,
            prefix=f"{name}/",
            depth=self.depth + 1,
            closed=self.closed,
        )
        scope.build(function.node, function.output)
        named = dict(zip(function.output, proto.output, strict=False))
        return [scope.find(output) if named.get(output) else None for output in function.output]

    def subgraph(self, proto: onnx.GraphProto) -> NestedGraph:
        """A graph attribute of a node of this scope."""
        return NestedGraph(proto, self)


class NestedGraph:
    """A subgraph attribute with the scope it was found in; see `ops.subgraph.SubGraph`."""

    def __init__(self, proto: onnx.GraphProto, scope: Scope) -> None:
        self.proto = proto
        self.scope = scope
        self.inputs: tuple[Formal, ...] = tuple(formal(i) for i in proto.input)
        self.outputs: tuple[Formal, ...] = tuple(formal(o) for o in proto.output)

    @property
    def built(self) -> int:
        """See `ops.subgraph.SubGraph`."""
        return self.scope.model.extent.built

    def _build(
        self, args: Sequence[Value | None], captured: dict[int, tuple[Value, Value]] | None
    ) -> tuple[Value, ...]:
        if len(args) != len(self.inputs):
            raise LoadError(
                f"the subgraph {self.proto.name} takes {len(self.inputs)} inputs, not {len(args)}"
            )
        outer = self.scope
        scope = Scope(
            *(outer.model, outer.opsets, outer, {}, outer.arguments, captured),
            prefix=outer.prefix,
            depth=outer.depth + 1,
            closed=outer.closed or captured is not None,
        )
        for parameter, arg in zip(self.inputs, args, strict=True):
            scope.define(parameter.name, arg)
        scope.initialise(self.proto, frozenset(i.name for i in self.inputs))
        scope.build(self.proto.node, [o.name for o in self.outputs])
        results = []
        for output in self.outputs:
            value = scope.find(output.name)
            if value is None:
                raise LoadError(f'the subgraph {self.proto.name} has the missing result "{output.name}"')
            results.append(value)
        return tuple(results)

    def inline(self, *args: Value | None) -> tuple[Value, ...]:
        """The results of the body over these arguments, built among the values around it."""
        return self._build(args, None)

    def close(self, formals: Sequence[Value], args: Sequence[Value] | None = None) -> Body:
        """The body over `args`, by default the formals, as a graph whose first inputs are `formals`."""
        given = formals if args is None else args
        return self.enclose(formals, [o.name for o in self.outputs], lambda inline: inline(*given))

    def enclose(
        self,
        formals: Sequence[Value],
        names: Sequence[str],
        formula: Callable[[Inline], Sequence[Value]],
    ) -> Body:
        """What a formula makes of the body, which it builds in place, as a graph with inputs `formals`."""
        captured: dict[int, tuple[Value, Value]] = {}
        return enclosed(formals, names, lambda: formula(lambda *args: self._build(args, captured)), captured)


def _placed(name: str, operator: str, message: str) -> str:
    """A message with the node that it is about, unless it names that one, or one inside of its function."""
    place = f"{name} ({operator}): "
    return message if message.startswith((place, f"{name}/")) else place + message


def _is_given(size: Dim) -> bool:
    """Whether a size is known without computing any tensor."""
    return not any(source_of(name) for name in dims.symbols(size))


def _is_choice(value: Value) -> bool:
    """Whether a tensor has so few contents that each may have a program of its own."""
    whole = value.dtype.is_int or value.dtype is dt.BOOL
    return whole and isinstance(value.size, int) and value.size <= _MOST_CHOICES


def schema_function(
    proto: onnx.NodeProto, domain: str, opset: int, inputs: Sequence[Value | None]
) -> onnx.FunctionProto | None:
    """The body that the ONNX schema of an operator gives for it, if there is one."""
    from onnx import defs

    try:
        schema = defs.get_schema(proto.op_type, opset, domain)
        versions = schema.function_opset_versions or schema.context_dependent_function_opset_versions
        version = max((v for v in versions if v <= opset), default=opset)
        if schema.has_function:
            text = schema.get_function_with_opset_version(version)
        elif schema.has_context_dependent_function and (types := _types(schema, inputs)) is not None:
            call = proto.SerializeToString()
            text = schema.get_context_dependent_function_with_opset_version(version, call, types)
        else:
            return None
    except (RuntimeError, defs.SchemaError):
        return None
    return FunctionProto.FromString(text) if text else None


def _types(schema: Any, inputs: Sequence[Value | None]) -> list[bytes] | None:
    """The input types for the builder of a body, which reads absent ones through null pointers."""
    types = [attributes.type_proto(v) for v in inputs]
    given = all(v is None or t.WhichOneof("value") for t, v in zip(types, inputs, strict=True))
    if not given or not schema.min_input <= len(types) <= schema.max_input:
        return None
    return [t.SerializeToString() for t in types]


def opsets_of(imports: Sequence[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """Opset versions by domain; "ai.onnx" is the same as ""."""
    return {"" if i.domain == "ai.onnx" else i.domain: i.version for i in imports}


def shown(proto: onnx.NodeProto) -> str:
    """The operator of a node as messages show it."""
    return f"{proto.domain}.{proto.op_type}" if proto.domain else str(proto.op_type)
