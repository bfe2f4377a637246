"""The instructions of AVX2 and AVX-512 by operation: LLVM knows each, with these operands."""

from __future__ import annotations

import pytest

from sardonyx.base.instruction import Instruction
from sardonyx.llvm.vec import Function, Module, V
from sardonyx.object import engine
from sardonyx.targets.x86_64 import instructions, isa

_PLACES = {"<16 x float>": "<16 x i32>", "<8 x float>": "<8 x i32>"}
ROWS = (*instructions.AVX2, *instructions.AVX512, *instructions.VBMI)
V4 = isa.with_features(isa.V4, ["avx512vbmi"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_llvm_makes_one_instruction_of_each(row: Instruction) -> None:
    module = Module()
    moves = row.operation.startswith(("pick", "permute"))
    places = _PLACES.get(row.type, row.type) if moves else row.type
    types = (row.type, places, *[row.type] * (row.operation == "pick"))
    f = Function(module, "f", [("to", "ptr"), *((f"s{n}", type_) for n, type_ in enumerate(types))])
    to, *sources = f.params
    operands = [sources[o] if isinstance(o, int) else V(*reversed(o.split())) for o in row.operands]
    f.store(f.call(row.name, row.type, *operands), to)
    f.ret()
    f.finish()
    mnemonic = ("vperm", "vpshufb") if moves else "v" + row.name.split(".")[4]
    lines = engine.assembly(module.text(), V4).splitlines()
    assert sum(line.strip().startswith(mnemonic) for line in lines) == 1


def test_a_target_is_asked_by_operation_and_type() -> None:
    found = isa.V4.instruction("exponent", "<16 x float>")
    assert found is not None and found.name == "llvm.x86.avx512.mask.getexp.ps.512"
    assert isa.V4.instruction("exponent") is not None
    assert isa.V4.instruction("exponent", "<32 x float>") is None
    assert isa.V3.instruction("exponent") is None
