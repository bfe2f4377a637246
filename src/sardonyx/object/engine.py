"""Turns IR text into object code. The only importer of llvmlite.

Decides code generator settings and how threads compile side by side; must not know kernels, caches or how
objects are linked.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from sardonyx.base.background import Background
from sardonyx.base.named import NamedTuple
from sardonyx.base.target import Target
from sardonyx.errors import CompileError


def llvm_version() -> str:
    """The code generator's version, for cache keys; does not load LLVM."""
    import llvmlite

    return f"llvmlite-{llvmlite.__version__}"


@cache
def begin() -> None:
    """Have another thread map LLVM, once: it is large, and who calls `load` later finds it mapped."""
    Background(partial(ctypes.CDLL, _path()))


def load() -> None:
    """Load LLVM now: the steps of an import would take long on a thread that others hold up."""
    _library()


def compile_object(ir: str, target: Target, *, quick: bool = False) -> bytes:
    """Object code (ELF, position independent) of one IR module; threads may do this side by side.

    `quick` takes a third of the time; the code does the same, in up to twice as long.
    Raises CompileError with the offending line if the text is not valid IR.
    """
    return _compiled(ir, target, _OBJECT, _QUICK if quick else _STANDARD)


def assembly(ir: str, target: Target) -> str:
    """Assembly text of one IR module, for reading and tests.

    Raises CompileError with the offending line if the text is not valid IR.
    """
    return _compiled(ir, target, _ASSEMBLY).decode()


class _Library:
    """LLVM, in the library that llvmlite brings, without its Python modules.

    Those take longer to import than a kernel to compile, and let in one thread at a time, which modules of
    one context need; here each thread has its own. `parse` and `emit` let other threads run Python meanwhile.
    The others keep the interpreter, which a thread would have to wait for afterwards.
    """

    def __init__(self) -> None:
        path = _path()
        parallel, quick = ctypes.CDLL(path), ctypes.PyDLL(path)
        for part in ("TargetInfos", "Targets", "TargetMCs", "AsmPrinters"):
            _function(quick[f"LLVMPY_InitializeAll{part}"], None)()
        self.parse = _function(parallel.LLVMPY_ParseAssembly, _PTR, _PTR, _CHARS, _TEXT)
        self.emit = _function(parallel.LLVMPY_TargetMachineEmitToMemory, _PTR, _PTR, _PTR, _INT, _TEXT)
        self.verify = _function(quick.LLVMPY_VerifyModule, ctypes.c_bool, _PTR, _TEXT)
        self.start = _function(quick.LLVMPY_GetBufferStart, _PTR, _PTR)
        self.size = _function(quick.LLVMPY_GetBufferSize, ctypes.c_size_t, _PTR)
        self.free = _function(quick.LLVMPY_DisposeMemoryBuffer, None, _PTR)
        self.drop = _function(quick.LLVMPY_DisposeModule, None, _PTR)
        self.forget = _function(quick.LLVMPY_DisposeString, None, _CHARS)
        self.new_context = _function(quick.LLVMPY_ContextCreate, _PTR)
        self.end_context = _function(quick.LLVMPY_ContextDispose, None, _PTR)
        self.target = _function(quick.LLVMPY_GetTargetFromTriple, _PTR, _CHARS, _TEXT)
        settings = (_CHARS, _CHARS, _CHARS, _INT, _CHARS, _CHARS, _INT, _INT, _CHARS)
        self.new_machine = _function(quick.LLVMPY_CreateTargetMachine, _PTR, _PTR, *settings)
        self.end_machine = _function(quick.LLVMPY_DisposeTargetMachine, None, _PTR)
        self.new_layout = _function(quick.LLVMPY_CreateTargetMachineData, _PTR, _PTR)
        self.layout = _function(quick.LLVMPY_CopyStringRepOfTargetData, None, _PTR, _TEXT)
        self.end_layout = _function(quick.LLVMPY_DisposeTargetData, None, _PTR)


_PTR, _CHARS, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_TEXT = ctypes.POINTER(ctypes.c_char_p)
_ASSEMBLY, _OBJECT = 0, 1
_QUICK, _STANDARD = 0, 2
"""How much the code generator does of its own: LLVM's -O0 and -O2."""


def _path() -> str:
    import llvmlite
    from llvmlite.utils import get_library_name

    return str(Path(llvmlite.__file__).with_name("binding") / get_library_name())


def _function(found: Any, result: Any, *arguments: Any) -> Any:
    found.restype, found.argtypes = result, arguments
    return found


@cache
def _library() -> _Library:
    return _Library()


class _Owned:
    """What LLVM made, and how it is given back."""

    def __init__(self, address: int, end: Callable[[int], None]) -> None:
        self.address, self._end = address, end

    def __del__(self) -> None:
        self._end(self.address)


class _Machine(NamedTuple):
    """A code generator, and how a module says that it is for it, on the line of its first one."""

    generator: _Owned
    head: str


class _Thread(threading.local):
    """What a thread compiles with: contexts and code generators are not to be shared."""

    def __init__(self) -> None:
        library = _library()
        self.context = _Owned(library.new_context(), library.end_context)
        self.machines: dict[tuple[Any, ...], _Machine] = {}

    def machine(self, target: Target, effort: int) -> _Machine:
        """The code generator for a target. Raises CompileError if LLVM has none."""
        settings = ",".join([*(f"+{feature}" for feature in target.features), *target.tuning])
        facts = target.triple, target.cpu, settings, effort
        found = self.machines.get(facts)
        if found is None:
            found = self.machines[facts] = _machine(*facts)
        return found


def _machine(triple: str, cpu: str, features: str, effort: int) -> _Machine:
    library = _library()
    found, problem = _called(library.target, triple.encode())
    names = (triple.encode(), cpu.encode(), features.encode())
    made = found and library.new_machine(found, *names, effort, b"pic", b"small", 0, 0, b"")
    if not made:
        raise CompileError(f"LLVM generates no code for {triple}, {cpu}: {problem}")
    generator = _Owned(made, library.end_machine)
    layout = _Owned(library.new_layout(made), library.end_layout)
    _, text = _called(library.layout, layout.address)
    return _Machine(generator, f'target datalayout = "{text}" target triple = "{triple}" ')


@cache
def _threads() -> _Thread:
    return _Thread()


def _compiled(ir: str, target: Target, kind: int, effort: int = _STANDARD) -> bytes:
    thread, library = _threads(), _library()
    machine = thread.machine(target, effort)
    text = (machine.head + ir).encode()
    module, problem = _called(library.parse, thread.context.address, text)
    try:
        is_bad = not module
        if not is_bad:
            is_bad, problem = _called(library.verify, module)
        if is_bad:
            raise CompileError(_explain(problem, ir))
        buffer, problem = _called(library.emit, machine.generator.address, module, kind)
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
