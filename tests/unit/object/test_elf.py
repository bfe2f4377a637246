"""Objects are read as sections, symbols and relocations; what an image cannot hold is refused."""

from __future__ import annotations

import pytest

from sardonyx import targets
from sardonyx.errors import CompileError
from sardonyx.object.elf import read
from sardonyx.targets.x86_64.relocations import RELOCATIONS
from tests.unit.objects import compiled

TARGET = targets.detect()
CALLER = """
declare i64 @elsewhere(i64)
@table = private constant [2 x i64] [i64 5, i64 6], align 64
define i64 @here(i64 %n) {
  %p = getelementptr [2 x i64], ptr @table, i64 0, i64 %n
  %a = load i64, ptr %p
  %b = call i64 @elsewhere(i64 %a)
  ret i64 %b
}
define internal i64 @own(i64 %n) noinline { ret i64 %n }
"""


def test_sections_symbols_and_relocations() -> None:
    found = read(compiled(CALLER, TARGET), RELOCATIONS)
    names = {symbol.name: symbol for symbol in found.symbols}
    assert names["here"].section is not None
    assert names["here"].section.executable
    assert not names["here"].local
    assert names["elsewhere"].section is None, "another object defines it"
    tables = [s for s in found.sections.values() if not s.executable]
    assert any(s.align == 64 and bytes(s.data[:8]) == (5).to_bytes(8, "little") for s in tables)
    references = [s.references for s in found.sections.values() if s.references is not None]
    types = {int(type_) for r in references for type_ in r.type}
    assert types
    assert types <= set(RELOCATIONS.writers)
    wanted = {found.symbols[n].name for r in references for n in r.symbol}
    assert "elsewhere" in wanted


def test_link_once_functions_are_groups() -> None:
    found = read(
        compiled("$f = comdat any\ndefine linkonce_odr i64 @f() comdat { ret i64 1 }", TARGET),
        RELOCATIONS,
    )
    assert [name for name, _ in found.groups] == ["f"]


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" + bytes(100)])
def test_what_is_not_an_object_is_refused(data: bytes) -> None:
    with pytest.raises(CompileError, match="not an x86-64 ELF object"):
        read(data, RELOCATIONS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@g = global i64 5\ndefine ptr @f() { ret ptr @g }", "writable data"),
        (
            "@t = constant [1 x ptr] [ptr @f]\ndefine ptr @f() { ret ptr @t }",
            "read-only|not position independent",
        ),
    ],
)
def test_what_an_image_cannot_hold_is_refused(text: str, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        read(compiled(text, TARGET), RELOCATIONS)
