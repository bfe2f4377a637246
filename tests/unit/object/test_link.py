"""A second processor brings its own relocations: the linker writes them without knowing what they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.relocation import Bytes, Offsets, Relocations
from sardonyx.base.target import Target
from sardonyx.errors import CompileError
from sardonyx.object.image import Image
from sardonyx.object.link import link
from sardonyx.targets.reference import REFERENCE
from tests.unit.objects import compiled

CALLER = """
@squares = private constant [4 x i64] [i64 0, i64 1, i64 4, i64 9], align 64
declare i64 @twice(i64)
define i64 @caller(i64 %x) nounwind {
  %p = getelementptr [4 x i64], ptr @squares, i64 0, i64 %x
  %y = load i64, ptr %p
  %z = call i64 @twice(i64 %y)
  %w = add i64 %z, 1
  ret i64 %w
}
"""
TWICE = "define i64 @twice(i64 %x) nounwind {\n  %y = shl i64 %x, 1\n  ret i64 %y\n}\n"


def words(code: Bytes, places: Offsets) -> np.ndarray:
    return code[places[:, None] + np.arange(4)].view("<u4")[:, 0]


def write(code: Bytes, places: Offsets, values: np.ndarray) -> None:
    code[places[:, None] + np.arange(4)] = values.astype("<u4").view(np.uint8).reshape(-1, 4)


def field(shift: int, bits: int, of: Callable[[Offsets, Offsets], Offsets]) -> Callable[..., np.ndarray]:
    """What stands in `bits` of an instruction from bit `shift` on."""

    def writer(code: Bytes, places: Offsets, wanted: Offsets) -> np.ndarray:
        value = of(wanted, places)
        write(code, places, words(code, places) | (value & (1 << bits) - 1) << shift)
        return np.ones(len(places), bool)

    return writer


def page(code: Bytes, places: Offsets, wanted: Offsets) -> np.ndarray:
    """Adrp: the distance in pages, its two low bits apart."""
    pages = (wanted >> 12) - (places >> 12)
    write(code, places, words(code, places) | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5)
    return np.ones(len(places), bool)


ARM = Relocations(
    "AArch64",
    183,
    {
        275: page,
        277: field(10, 12, lambda wanted, _: wanted & 0xFFF),
        283: field(0, 26, lambda wanted, places: wanted - places >> 2),
    },
)
TARGET = Target("armv8", "aarch64-unknown-none-elf", "generic", ("neon",), lanes=4, relocations=ARM)


def joined(*texts: str, target: Target = TARGET) -> Image:
    return link([compiled(text, target) for text in texts], target)


def instructions(image: Image) -> np.ndarray:
    return np.frombuffer(image.code, "<u4")


def test_a_call_reaches_its_function() -> None:
    for texts in ((CALLER, TWICE), (TWICE, CALLER)):
        image = joined(*texts)
        code = instructions(image)
        (at,) = (n for n, word in enumerate(code) if word >> 26 == 0b100101)
        distance = (int(code[at]) & 0x3FFFFFF ^ 0x2000000) - 0x2000000
        assert 4 * (at + distance) == image.symbols["twice"]


def test_a_table_is_found_by_its_page() -> None:
    image = joined(CALLER, TWICE)
    code = instructions(image)
    (at,) = (n for n, word in enumerate(code) if word >> 31 == 1 and word >> 24 & 0x1F == 0x10)
    offset = int(code[at + 1]) >> 10 & 0xFFF
    assert int(code[at]) >> 29 & 3 == 0, "the same page"
    assert np.frombuffer(image.code, "<i8", 4, offset).tolist() == [0, 1, 4, 9]


def test_what_a_processor_cannot_write_is_refused() -> None:
    fewer = replace(ARM, writers={key: ARM.writers[key] for key in (275, 277)})
    with pytest.raises(CompileError, match=r"\(twice\) needs relocation type 283"):
        joined(CALLER, TWICE, target=replace(TARGET, relocations=fewer))
    refusing = replace(ARM, writers={**ARM.writers, 283: lambda code, places, wanted: places < 0})
    with pytest.raises(CompileError, match="the address of twice cannot be written where it is used"):
        joined(CALLER, TWICE, target=replace(TARGET, relocations=refusing))


def test_objects_of_another_processor_are_refused() -> None:
    with pytest.raises(CompileError, match="not an AArch64 ELF object"):
        link(
            [compiled(TWICE, replace(TARGET, triple="riscv64-unknown-none-elf", cpu="", features=()))], TARGET
        )


def test_a_target_without_code_has_nothing_to_link() -> None:
    with pytest.raises(CompileError, match="reference executes no native code"):
        link([], REFERENCE)
