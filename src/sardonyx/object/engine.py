"""Turns IR text into object code. The only importer of llvmlite.binding.

Decides code generator settings and how threads compile side by side; must not know kernels, caches or how
objects are linked.
"""

from __future__ import annotations

import ctypes
import re
import threading
from functools import cache
from typing import Any, NamedTuple

from sardonyx.base.target import Target
from sardonyx.errors import CompileError


def llvm_version() -> str:
    """The code generator's version, for cache keys; does not load LLVM."""
    import llvmlite

    return f"llvmlite-{llvmlite.__version__}"


def load() -> None:
    """Load LLVM now: the steps of an import would take long on a thread that others hold up."""
    _library()


def compile_object(ir: str, target: Target) -> bytes:
    """Object code (ELF, position independent) of one IR module; threads may do this side by side.

    Raises CompileError with the offending line if the text is not valid IR.
    """
    return _compiled(ir, target, _OBJECT)


def assembly(ir: str, target: Target) -> str:
    """Assembly text of one IR module, for reading and tests.

    Raises CompileError with the offending line if the text is not valid IR.
    """
    return _compiled(ir, target, _ASSEMBLY).decode()


@cache
def _binding() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


class _Library:
    """LLVM through llvmlite's library, without the lock by which llvmlite lets in one thread at a time.

    That is for modules of one context; here each thread has its own. `parse` and `emit` let other threads run
    Python meanwhile. The others keep the interpreter, which a thread would have to wait for afterwards.
    """

    def __init__(self) -> None:
        lib = _binding().ffi.lib
        parallel = ctypes.CDLL(lib._name, handle=lib._handle)
        quick = ctypes.PyDLL(lib._name, handle=lib._handle)
        self.parse = _function(parallel.LLVMPY_ParseAssembly, _PTR, _PTR, ctypes.c_char_p, _TEXT)
        self.emit = _function(
            parallel.LLVMPY_TargetMachineEmitToMemory, _PTR, _PTR, _PTR, ctypes.c_int, _TEXT
        )
        self.verify = _function(quick.LLVMPY_VerifyModule, ctypes.c_bool, _PTR, _TEXT)
        self.start = _function(quick.LLVMPY_GetBufferStart, _PTR, _PTR)
        self.size = _function(quick.LLVMPY_GetBufferSize, ctypes.c_size_t, _PTR)
        self.free = _function(quick.LLVMPY_DisposeMemoryBuffer, None, _PTR)
        self.drop = _function(quick.LLVMPY_DisposeModule, None, _PTR)
        self.forget = _function(quick.LLVMPY_DisposeString, None, ctypes.c_char_p)


_PTR, _TEXT = ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p)
_ASSEMBLY, _OBJECT = 0, 1


def _function(found: Any, result: Any, *arguments: Any) -> Any:
    found.restype, found.argtypes = result, arguments
    return found


@cache
def _library() -> _Library:
    return _Library()


class _Machine(NamedTuple):
    """A code generator, and how a module says that it is for it, on the line of its first one."""

    generator: Any
    head: str


class _Thread(threading.local):
    """What a thread compiles with: contexts and code generators are not to be shared."""

    def __init__(self) -> None:
        self.context = _binding().create_context()
        self.machines: dict[tuple[Any, ...], _Machine] = {}

    def machine(self, target: Target) -> _Machine:
        """The code generator for a target."""
        settings = ",".join([*(f"+{feature}" for feature in target.features), *target.tuning])
        facts = target.triple, target.cpu, settings
        found = self.machines.get(facts)
        if found is None:
            generator = _binding().Target.from_triple(target.triple)
            generator = generator.create_target_machine(
                cpu=target.cpu, features=settings, opt=2, reloc="pic", codemodel="small"
            )
            head = f'target datalayout = "{generator.target_data}" target triple = "{target.triple}" '
            found = self.machines[facts] = _Machine(generator, head)
        return found


@cache
def _threads() -> _Thread:
    return _Thread()


def _compiled(ir: str, target: Target, kind: int) -> bytes:
    thread, library = _threads(), _library()
    machine = thread.machine(target)
    text = (machine.head + ir).encode()
    module, problem = _called(library.parse, _address(thread.context), text)
    try:
        is_bad = not module
        if not is_bad:
            is_bad, problem = _called(library.verify, module)
        if is_bad:
            raise CompileError(_explain(problem, ir))
        buffer, problem = _called(library.emit, _address(machine.generator), module, kind)
        if not buffer:
            raise CompileError(f"LLVM cannot generate code: {problem}")
        try:
            return ctypes.string_at(library.start(buffer), library.size(buffer))
        finally:
            library.free(buffer)
    finally:
        if module:
            library.drop(module)


def _called(function: Any, *arguments: Any) -> tuple[Any, str]:
    """What a function gives, and what it says about it."""
    said = ctypes.c_char_p()
    result = function(*arguments, said)
    text = (said.value or b"").decode(errors="replace")
    _library().forget(said)
    return result, text


def _address(reference: Any) -> ctypes.c_void_p:
    return ctypes.cast(reference._as_parameter_, ctypes.c_void_p)


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
