"""Turns IR text into object code. The only importer of llvmlite.binding.

Decides code generator settings and how threads compile side by side; must not know kernels, caches or how
objects are linked.
"""

from __future__ import annotations

import ctypes
import re
import threading
from functools import cache
from typing import Any

from sardonyx.base.target import Target
from sardonyx.errors import CompileError


def llvm_version() -> str:
    """The code generator's version, for cache keys; does not load LLVM."""
    import llvmlite

    return f"llvmlite-{llvmlite.__version__}"


def compile_object(ir: str, target: Target) -> bytes:
    """Object code (ELF, position independent) of one IR module; threads may do this side by side.

    Raises CompileError with the offending line if the text is not valid IR.
    """
    return _emit(*_parse(ir, target))


def assembly(ir: str, target: Target) -> str:
    """Assembly text of one IR module, for reading and tests.

    Raises CompileError with the offending line if the text is not valid IR.
    """
    machine, module = _parse(ir, target)
    return str(machine.emit_assembly(module))


@cache
def _binding() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


class _Thread(threading.local):
    """What a thread compiles with: contexts and code generators are not to be shared."""

    def __init__(self) -> None:
        self.context = _binding().create_context()
        self.machines: dict[tuple[Any, ...], Any] = {}

    def machine(self, target: Target) -> Any:
        """The code generator for a target."""
        settings = ",".join([*(f"+{feature}" for feature in target.features), *target.tuning])
        facts = target.triple, target.cpu, settings
        found = self.machines.get(facts)
        if found is None:
            found = _binding().Target.from_triple(target.triple)
            found = found.create_target_machine(
                cpu=target.cpu, features=settings, opt=2, reloc="pic", codemodel="small"
            )
            self.machines[facts] = found
        return found


@cache
def _threads() -> _Thread:
    return _Thread()


def _parse(ir: str, target: Target) -> tuple[Any, Any]:
    thread = _threads()
    machine = thread.machine(target)
    try:
        module = _binding().parse_assembly(ir, thread.context)
        module.verify()
    except RuntimeError as error:
        raise CompileError(_explain(str(error), ir)) from None
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    return machine, module


def _emit(machine: Any, module: Any) -> bytes:
    """What `machine.emit_object` does, without the lock by which llvmlite lets in one thread at a time.

    The lock is for modules of one context; here each thread has its own.
    """
    ffi = _binding().ffi
    locked = ffi.lib.LLVMPY_TargetMachineEmitToMemory
    with ffi.OutputString() as problem:
        buffer = getattr(locked, "_cfn", locked)(machine, module, 1, problem)
        if not buffer:
            raise CompileError(f"LLVM cannot generate code: {problem}")
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _explain(message: str, ir: str) -> str:
    """The parser's message with the function and the line it is about."""
    match = re.search(r":(\d+):(\d+): error: (.*)", message)
    if not match:
        return f"the generated LLVM IR is invalid: {message.strip()}"
    lines, number = ir.splitlines(), int(match[1])
    heads = [line for line in lines[:number] if line.startswith("define ")]
    where = f" in {heads[-1].split('(')[0].split()[-1]}" if heads else ""
    line = lines[number - 1].strip() if number <= len(lines) else ""
    return f"the generated LLVM IR is invalid{where}, line {number}: {match[3]}: {line}"
