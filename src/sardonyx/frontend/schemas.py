"""What the schemas of ONNX say of an operator's inputs, from a table that is generated from them.

The schemas themselves are in a package that takes long to import; it is asked only about opsets that are
newer than the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("schemas.json")

Formal = tuple[str, frozenset[str]]
"""Name of an input, and the type strings that any version of its operator takes there."""


def newest_opset() -> int:
    """The newest opset of ai.onnx that the table knows."""
    opset: int = _table()["opset"]
    return opset


def newest_installed() -> int:
    """The newest opset of ai.onnx that the installed package knows."""
    from onnx import defs

    return int(defs.onnx_opset_version())


@cache
def formals(op: str, opset: int, domain: str) -> tuple[Formal, ...]:
    """The inputs of an operator in an opset; the last one stands for the rest of a variadic one.

    Empty if there is no such operator.
    """
    table = _covering(opset, domain)
    row = table["operators"].get(domain, {}).get(op)
    for since, names in row["versions"] if row else ():
        if since <= opset:
            return tuple(
                (name, frozenset(table["types"][n] for n in table["sets"][row["inputs"][name]]))
                for name in names
            )
    return ()


@cache
def alike(op: str, opset: int, domain: str) -> tuple[frozenset[str], ...]:
    """Inputs that are of one type in every version of an operator, by groups; a variadic one may be alone."""
    row = _covering(opset, domain)["operators"].get(domain, {}).get(op, {})
    return tuple(map(frozenset, row.get("alike", ())))


def _covering(opset: int, domain: str) -> Any:
    """The table that knows the opset."""
    return _table() if domain or opset <= newest_opset() else _installed_table()


def schema_of(op: str, opset: int, domain: str) -> Any:
    """The schema itself, which must exist."""
    from onnx import defs

    return defs.get_schema(op, opset, domain)


def has_schema(op: str, domain: str) -> bool:
    """Whether any version of an operator has a schema."""
    from onnx import defs

    return bool(defs.has(op, domain))


@cache
def _table() -> Any:
    return json.loads(TABLE.read_text(encoding="utf-8"))


@cache
def _installed_table() -> Any:
    from onnx import defs

    return table_of(defs.get_all_schemas_with_history(), newest_installed())


def table_of(schemas: Iterable[Any], opset: int) -> dict[str, Any]:
    """The table of schemas in every version, up to an opset of ai.onnx."""
    versions: dict[tuple[str, str], list[Any]] = {}
    for schema in schemas:
        if schema.domain != "" or schema.since_version <= opset:
            versions.setdefault((schema.domain, schema.name), []).append(schema)
    types = sorted({t for found in versions.values() for s in found for i in s.inputs for t in i.types})
    sets: dict[tuple[int, ...], int] = {}
    operators: dict[str, dict[str, Any]] = {}
    for (domain, name), found in sorted(versions.items()):
        found.sort(key=lambda schema: -schema.since_version)
        inputs: dict[str, set[str]] = {}
        for schema in found:
            for formal in schema.inputs:
                inputs.setdefault(formal.name, set()).update(formal.types)
        numbers = {
            formal: sets.setdefault(tuple(sorted(map(types.index, allowed))), len(sets))
            for formal, allowed in inputs.items()
        }
        rows = [[schema.since_version, [formal.name for formal in schema.inputs]] for schema in found]
        row = operators.setdefault(domain, {})[name] = {"inputs": numbers, "versions": rows}
        if groups := _alike(found):
            row["alike"] = groups
    return {"opset": opset, "types": types, "sets": [list(s) for s in sets], "operators": operators}


def _alike(versions: Sequence[Any]) -> list[list[str]]:
    """The inputs to which no version gives different types; of versions the newest is first."""
    variables = [
        {formal.name: formal.type_str if _is_variable(formal) else None for formal in schema.inputs}
        for schema in versions
    ]
    variadic = {f.name for schema in versions for f in schema.inputs if f.option.name == "Variadic"}
    groups: list[list[str]] = []
    for name in variables[0]:
        if any(version.get(name, "") is None for version in variables):
            continue
        for group in groups:
            if all(
                version[name] == version[other]
                for version in variables
                for other in group
                if name in version and other in version
            ):
                group.append(name)
                break
        else:
            groups.append([name])
    return [group for group in groups if len(group) > 1 or variadic & {*group}]


def _is_variable(formal: Any) -> bool:
    """Whether a formal's type is a variable of its schema that all its inputs share."""
    return formal.is_homogeneous and "(" not in formal.type_str
