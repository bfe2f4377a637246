"""A part of a module declares what it calls of the others, and brings the tables that it reads."""

from __future__ import annotations

import pytest

from sardonyx.llvm.part import declaration, part

FUNCTIONS = {
    "f": "define i64 @f(i64 %x) nounwind {\n  %v1 = call i64 @g(i64 %x, ptr @numbers)\n  ret i64 %v1\n}",
    "g": "define internal i64 @g(i64 %x, ptr %p) nounwind noinline {\n  ret i64 %x\n}",
}
TABLES = {
    "numbers": "@numbers = private constant [1 x i64] [i64 1]",
    "others": "@others = private constant i8 0",
}


@pytest.mark.parametrize(
    ("function", "declared"),
    [
        (FUNCTIONS["f"], "declare i64 @f(i64)"),
        (FUNCTIONS["g"].partition("\n")[0], "declare hidden i64 @g(i64, ptr)"),
        ("declare float @llvm.sqrt.f32(float)", "declare float @llvm.sqrt.f32(float)"),
    ],
)
def test_a_declaration_is_the_head_without_names(function: str, declared: str) -> None:
    assert declaration(function) == declared


def test_a_part_has_what_it_names() -> None:
    alone = part({"f": FUNCTIONS["f"]}, FUNCTIONS, TABLES)
    assert alone.splitlines()[0] == TABLES["numbers"]
    assert alone.splitlines()[-1] == "declare hidden i64 @g(i64, ptr)"
    assert "@others" not in alone


def test_what_others_call_is_hidden_and_not_internal() -> None:
    both = part(FUNCTIONS, {}, TABLES)
    assert "define hidden i64 @g(" in both and "declare" not in both
