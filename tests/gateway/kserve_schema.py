"""Holds manifests against the types of KServe's and Kubernetes' own clients: says each fault, and how many.

Run by the Python of `tests/serve/clients.py` with files of YAML.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kserve.models
import kubernetes.client.models
import yaml

KINDS = {
    ("serving.kserve.io/v1alpha1", "ClusterServingRuntime"): "V1alpha1ClusterServingRuntime",
    ("serving.kserve.io/v1beta1", "InferenceService"): "V1beta1InferenceService",
}
LIST = re.compile(r"[Ll]ist\[(.+)\]")
DICT = re.compile(r"[Dd]ict[\[(]str, (.+)[\])]")
PLAIN = {"str": str, "bool": bool, "int": int, "float": (int, float), "object": object, "datetime": object}


def faults(value: Any, type_: str, place: str) -> Iterator[str]:
    """What in the value is not as the type says: unknown or missing fields, other types."""
    listed, mapped = LIST.fullmatch(type_), DICT.fullmatch(type_)
    if listed and isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(item, listed[1], f"{place}[{number}]")
    elif mapped and isinstance(value, dict):
        for name, item in value.items():
            yield from faults(item, mapped[1], f"{place}.{name}")
    elif type_ in PLAIN:
        right = isinstance(value, PLAIN[type_]) and (type_ == "bool" or not isinstance(value, bool))
        if not right and type_ != "object":
            yield f"{place}: {value!r} is no {type_}"
    elif isinstance(value, dict) and not (listed or mapped):
        yield from faults_of_fields(value, type_, place)
    else:
        yield f"{place}: {value!r} is no {type_}"


def faults_of_fields(value: dict[str, Any], type_: str, place: str) -> Iterator[str]:
    model = getattr(kserve.models, type_, None) or getattr(kubernetes.client.models, type_)
    fields = {told: name for name, told in model.attribute_map.items()}
    known = {fields[told]: item for told, item in value.items() if told in fields}
    yield from (f"{place}.{told}: {type_} has no such field" for told in value if told not in fields)
    for name, item in known.items():
        yield from faults(item, model.openapi_types[name], f"{place}.{model.attribute_map[name]}")
    yield from (f"{place}: {fault}" for fault in missing(model, known))


def missing(model: Any, known: dict[str, Any]) -> Iterator[str]:
    if hasattr(model, "model_fields"):
        needed = [name for name, field in model.model_fields.items() if field.is_required()]
        yield from (f"{model.attribute_map[name]} is missing" for name in needed if name not in known)
    else:
        try:
            model(**known)
        except ValueError as error:
            yield str(error)


def main() -> int:
    found = []
    for path in map(Path, sys.argv[1:]):
        for text in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            kind = KINDS[text["apiVersion"], text["kind"]]
            found += [f"{path.name}: {fault}" for fault in faults(text, kind, text["kind"])]
    print("\n".join(found))
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
