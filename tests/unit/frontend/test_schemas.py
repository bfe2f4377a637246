"""The table of schemas says what the installed package says; messages are its classes."""

from __future__ import annotations

import onnx
import pytest

from sardonyx.frontend import messages, schemas
from sardonyx.tools.schemas import text


@pytest.mark.skipif(schemas.newest_installed() != schemas.newest_opset(), reason="another onnx is installed")
def test_the_table_is_the_generated_one() -> None:
    assert schemas.TABLE.read_text(encoding="utf-8") == text(), "`make docs` writes it"


def test_inputs_of_every_version() -> None:
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain or schema.since_version <= schemas.newest_opset():
            found = schemas.formals(schema.name, schema.since_version, schema.domain)
            assert [name for name, _ in found] == [formal.name for formal in schema.inputs]
            for (_, types), formal in zip(found, schema.inputs, strict=True):
                assert types >= set(formal.types)
    assert (
        schemas.formals("Add", 0, "")
        == schemas.formals("NoSuch", 20, "")
        == schemas.formals("Add", 20, "x")
        == ()
    )


def test_older_versions_take_what_newer_ones_take() -> None:
    ((_, types), _) = schemas.formals("Add", 1, "")
    assert "tensor(bfloat16)" in types


def test_inputs_alike_are_alike_in_every_version() -> None:
    for schema in onnx.defs.get_all_schemas_with_history():
        types = {formal.name: formal.type_str for formal in schema.inputs}
        for group in schemas.alike(schema.name, schemas.newest_opset(), schema.domain):
            assert len({types[name] for name in group if name in types}) <= 1
    assert schemas.alike("LayerNormalization", 17, "") == ({"X", "Scale", "B"},)
    assert schemas.alike("LayerNormalization", 10_000, "") == ({"X", "Scale", "B"},)
    assert schemas.alike("Concat", 13, "") == ({"inputs"},)
    assert schemas.alike("Loop", 16, "") == schemas.alike("NoSuch", 20, "") == ()


def test_a_newer_opset_is_asked_of_the_package() -> None:
    assert schemas.formals("Add", 10_000, "") == schemas.formals("Add", schemas.newest_opset(), "")


def test_messages_are_the_classes_of_the_package() -> None:
    for name in messages.__all__:
        assert getattr(messages, name) is getattr(onnx, name)
