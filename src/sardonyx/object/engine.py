"""Turns IR text into object code. The only importer of llvmlite.binding.

Decides code generator settings and how compilation is spread over processes; must not know kernels,
caches or how objects are linked.
"""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from sardonyx.base.target import Target
from sardonyx.errors import CompileError

# Measured on one core: parse, verify and codegen of kernel IR. Starting another process costs about 0.2 s.
_SECONDS_PER_CHARACTER = 0.5e-6
_WORTHWHILE_SECONDS = 0.5


def llvm_version() -> str:
    """The code generator's version, for cache keys; does not load LLVM."""
    import llvmlite

    return f"llvmlite-{llvmlite.__version__}"


def compile_object(ir: str, target: Target) -> bytes:
    """Object code (ELF, position independent) of one IR module.

    Raises CompileError with the offending line if the text is not valid IR.
    """
    machine, module = _parse(ir, target)
    return bytes(machine.emit_object(module))


def assembly(ir: str, target: Target) -> str:
    """Assembly text of one IR module, for reading and tests.

    Raises CompileError with the offending line if the text is not valid IR.
    """
    machine, module = _parse(ir, target)
    return str(machine.emit_assembly(module))


def compile_many(irs: Sequence[str], target: Target, workers: int = 1) -> list[bytes]:
    """Object code of several modules, in their order.

    Up to `workers` processes share the work (LLVM is entered by one thread at a time); they are only
    started when the work is estimated to take seconds.
    Raises CompileError as `compile_object` does.
    """
    seconds = sum(map(len, irs)) * _SECONDS_PER_CHARACTER
    workers = min(workers, len(irs), 1 + int(seconds / _WORTHWHILE_SECONDS))
    # A frozen application's executable is the application, not an interpreter.
    if workers < 2 or not sys.executable or getattr(sys, "frozen", False):
        return [compile_object(ir, target) for ir in irs]
    shares = _shares(irs, workers)
    helpers = [_Helper([irs[i] for i in share], target) for share in shares[1:]]
    objects: dict[int, bytes] = {i: compile_object(irs[i], target) for i in shares[0]}
    for helper, share in zip(helpers, shares[1:], strict=True):
        done = helper.result()
        # A helper that could not start or died leaves its share to this process, which also finds the error.
        objects |= zip(share, done or [compile_object(irs[i], target) for i in share], strict=True)
    return [objects[i] for i in range(len(irs))]


def _shares(irs: Sequence[str], count: int) -> list[list[int]]:
    """Indices split into parts of about equal text length, longest first."""
    shares: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for i in sorted(range(len(irs)), key=lambda i: -len(irs[i])):
        least = loads.index(min(loads))
        shares[least].append(i)
        loads[least] += len(irs[i])
    return shares


class _Helper:
    """One child interpreter that compiles a list of modules.

    A plain child process: `multiprocessing` would import the user's main script again.
    """

    _CODE = (
        "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
        "from sardonyx.object.engine import _serve; _serve()"
    )

    def __init__(self, irs: list[str], target: Target) -> None:
        self._output = b""
        self._request = pickle.dumps(sys.path) + pickle.dumps((irs, target))
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        command = [sys.executable, "-c", self._CODE]
        try:
            done = subprocess.run(command, input=self._request, capture_output=True, check=True)
            self._output = done.stdout
        except (OSError, subprocess.SubprocessError):
            self._output = b""

    def result(self) -> list[bytes] | None:
        """The objects, or None if the child failed."""
        self._thread.join()
        return pickle.loads(self._output) if self._output else None


def _serve() -> None:
    irs, target = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps([compile_object(ir, target) for ir in irs]))


@cache
def _binding() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


@cache
def _machine(triple: str, cpu: str, features: tuple[str, ...]) -> Any:
    # Explicit 512-bit vectors are wanted as such; the generic levels are tuned to avoid them.
    names = ",".join([*(f"+{feature}" for feature in features), "-prefer-256-bit"])
    target = _binding().Target.from_triple(triple)
    return target.create_target_machine(cpu=cpu, features=names, opt=2, reloc="pic", codemodel="small")


def _parse(ir: str, target: Target) -> tuple[Any, Any]:
    machine = _machine(target.triple, target.cpu, target.features)
    try:
        module = _binding().parse_assembly(ir)
        module.verify()
    except RuntimeError as error:
        raise CompileError(_explain(str(error), ir)) from None
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    return machine, module


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
