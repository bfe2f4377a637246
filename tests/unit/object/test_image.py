"""Objects joined into one image, and run from executable memory."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.errors import CompileError
from sardonyx.object import engine
from sardonyx.object.image import Image
from sardonyx.object.link import link
from sardonyx.runtime import image as placed
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets

RUNNABLE = runnable_targets()

TWICE = """
define i64 @twice(i64 %x) nounwind {
  %y = shl i64 %x, 1
  ret i64 %y
}
"""
CALLER = """
declare i64 @twice(i64)
define i64 @caller(i64 %x) nounwind {
  %y = call i64 @twice(i64 %x)
  %z = add i64 %y, 1
  ret i64 %z
}
define ptr @address_of_twice() nounwind {
  ret ptr @twice
}
"""
TABLE = """
@squares = private constant [16 x i32] [i32 0, i32 1, i32 4, i32 9, i32 16, i32 25, i32 36, i32 49,
  i32 64, i32 81, i32 100, i32 121, i32 144, i32 169, i32 196, i32 225], align 64
define i64 @square(i64 %x) nounwind {
  %p = getelementptr i32, ptr @squares, i64 %x
  %y = load i32, ptr %p, align 4
  %z = zext i32 %y to i64
  ret i64 %z
}
"""
POLYNOMIAL = """
define i64 @polynomial(i64 %address) nounwind {{
  %p = inttoptr i64 %address to ptr
  %x = load <{n} x float>, ptr %p, align 4
  %y = fmul <{n} x float> %x, {slopes}
  %z = fadd <{n} x float> %y, splat (float 0.5)
  store <{n} x float> %z, ptr %p, align 4
  ret i64 0
}}
"""
SWITCH = """
define i64 @choose(i64 %x) nounwind {
  switch i64 %x, label %none [
    i64 0, label %a
    i64 1, label %b
    i64 2, label %c
    i64 3, label %d
    i64 4, label %e
    i64 5, label %f
  ]
a:
  br label %end
b:
  call void asm sideeffect "", ""()
  br label %end
c:
  br label %end
d:
  br label %end
e:
  br label %end
f:
  br label %end
none:
  br label %end
end:
  %y = phi i64 [ 7, %a ], [ 11, %b ], [ 2, %c ], [ 93, %d ], [ 5, %e ], [ 1, %f ], [ 0, %none ]
  ret i64 %y
}
"""


def build(*irs: str, target: Target = isa.V3) -> Image:
    return link([engine.compile_object(ir, target) for ir in irs], target)


def function(loaded: placed.LoadedImage, name: str) -> ctypes._CFunctionType:
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(loaded.address(name))


@pytest.mark.parametrize("irs", [(TWICE, CALLER), (CALLER, TWICE)], ids=["backward", "forward"])
def test_one_object_calls_another(irs: tuple[str, ...]) -> None:
    loaded = placed.load(build(*irs))
    assert function(loaded, "caller")(20) == 41
    assert ctypes.CFUNCTYPE(ctypes.c_int64)(loaded.address("address_of_twice"))() == loaded.address("twice")


def test_constant_tables_are_found_and_aligned() -> None:
    loaded = placed.load(build(TWICE, TABLE, CALLER))
    assert [function(loaded, "square")(i) for i in range(16)] == [i * i for i in range(16)]


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda target: target.name)
def test_code_of_each_target_runs(target: Target, rng: np.random.Generator) -> None:
    slopes = rng.standard_normal(target.lanes).astype(np.float32)
    listed = "<" + ", ".join(f"float 0x{np.float64(s).view(np.uint64):016X}" for s in slopes) + ">"
    loaded = placed.load(build(POLYNOMIAL.format(n=target.lanes, slopes=listed), target=target))
    x = rng.standard_normal(target.lanes).astype(np.float32)
    expected = x * slopes + np.float32(0.5)
    function(loaded, "polynomial")(x.ctypes.data)
    np.testing.assert_array_equal(x, expected)


def test_a_switch_runs_at_any_address() -> None:
    loaded = placed.load(build(SWITCH))
    assert [function(loaded, "choose")(i) for i in range(7)] == [7, 11, 2, 93, 5, 1, 0]


def test_code_comes_first_and_every_object_starts_on_a_line() -> None:
    linked = build(TWICE, TABLE, CALLER)
    assert linked.symbols["twice"] == 0
    assert linked.symbols["square"] % 64 == 0
    assert linked.symbols["caller"] % 64 == 0
    assert b"\x90\0\0\0\xa9\0\0\0\xc4\0\0\0\xe1" in linked.code[max(linked.symbols.values()) :]


def test_undefined_functions_are_all_named() -> None:
    missing = "declare double @sin(double)\ndeclare void @memcpy(ptr)\n" + CALLER.replace(
        "ret i64 %z", "call void @memcpy(ptr null)\n  %s = call double @sin(double 1.0)\n  ret i64 %z"
    )
    with pytest.raises(CompileError, match="undefined in the linked code: twice, memcpy, sin"):
        build(missing)


def test_two_definitions_of_one_name_are_refused_unless_they_are_the_same_object() -> None:
    assert build(TWICE, TWICE).symbols == {"twice": 0}
    with pytest.raises(CompileError, match="twice is defined by two different objects"):
        build(TWICE, TWICE.replace("shl", "mul"))


def test_link_once_functions_are_kept_once() -> None:
    shared = TWICE.replace("define", "$twice = comdat any\ndefine linkonce_odr").replace(
        "nounwind", "nounwind comdat"
    )
    users = [
        shared + f"define i64 @user{i}(i64 %x) nounwind {{\n %y = call i64 @twice(i64 %x)\n ret i64 %y\n}}\n"
        for i in range(2)
    ]
    linked = build(*users)
    loaded = placed.load(linked)
    assert [function(loaded, f"user{i}")(4) for i in range(2)] == [8, 8]
    assert len(linked.code) == len(build(users[0]).code) + 64


def test_a_weak_function_gives_way_to_a_strong_one_and_stays_before_other_weak_ones() -> None:
    weak = "define weak i64 @twice(i64 %x) nounwind {{\n ret i64 {}\n}}\n".format
    for irs, wanted in (
        ((TWICE, weak(3)), 8),
        ((weak(3), TWICE), 8),
        ((weak(3), weak(5)), 3),
        ((weak(3), TWICE, weak(5)), 8),
    ):
        assert function(placed.load(build(*irs)), "twice")(4) == wanted


def test_writable_data_and_address_tables_are_refused() -> None:
    with pytest.raises(CompileError, match=r"section \.data holds writable data"):
        build("@counter = global i64 3\ndefine ptr @f() nounwind {\n  ret ptr @counter\n}\n")
    table = "@table = constant [1 x ptr] [ptr @twice]\n" + TWICE
    with pytest.raises(CompileError, match=r"\.data\.rel\.ro.* holds writable data or addresses"):
        build(table)


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(CompileError, match="not an x86-64 ELF object"):
        link([b"\x7fELF but not really"], isa.V3)


def test_an_image_survives_its_bytes() -> None:
    linked = build(TWICE, CALLER, TABLE)
    size, symbols = Image.read_symbols(linked.to_bytes())
    assert (size, symbols) == (len(linked.code), linked.symbols)
    assert function(placed.load_blob(linked.to_bytes()), "caller")(1) == 3
    assert Image.read_symbols(Image(b"", {}).to_bytes()) == (0, {})


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[1:], lambda b: b[:10], lambda b: b"\0" * len(b)]
)
def test_damaged_bytes_are_refused(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(CompileError, match="not a code image"):
        Image.read_symbols(damage(build(TWICE).to_bytes()))
