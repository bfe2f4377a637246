"""Runs tests as on a CPU with AVX2 and without AVX-512: on this CPU if it is one, else in QEMU's user mode.

    python -m tests.avx2 [--short] [pytest's arguments]

The short form takes minutes, and passes with a warning where there is no emulator and no way to get one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sardonyx import targets

HASWELL = "Haswell,-pcid,-x2apic,-tsc-deadline,-hle,-invpcid,-rtm"
"""AVX2, FMA and F16C, without what QEMU does not know; it ends a process at its first zmm register."""

MASKED_BYTES = "256"
"""What QEMU 7 may read of lanes that are masked: eight elements of 8 bytes, each of them up to four apart."""

QUICK = ["tests/smoke_test.py", "tests/unit", "tests/property", "tests/conformance"]
SHORT = {
    "tests/smoke_test.py": "test",
    "tests/unit/targets/test_detect.py": "test",
    "tests/unit/compiler/test_compile.py": "chosen or dumped",
    "tests/unit/kernels/product/test_contract.py": "float32 and (every_row and packed or finish)",
    "tests/unit/kernels/convolution/test_conv.py": "float32 and dense and store",
    "tests/unit/kernels/recurrent/test_recurrent.py": "lengths and lstm",
    "tests/unit/kernels/digits/test_kernel.py": "short",
    "tests/unit/kernels/tiles/test_matrix.py": "bf16",
    "tests/unit/kernels/outliers/test_call.py": "test",
    "tests/unit/llvm/test_maps.py": "primitives and v3-8",
    "tests/property/operators/test_operators.py": "native and (QAttention or QGemm or DynamicQuantizeLSTM)",
}
"""Tests by file and expression."""

PROCESSES = min(8, len(os.sched_getaffinity(0)))


def main(arguments: list[str]) -> int:
    """The exit code of pytest."""
    short = "--short" in arguments
    rest = [a for a in arguments if a != "--short"]
    few = " or ".join(f"{Path(file).name} and ({names})" for file, names in SHORT.items())
    chosen = ["-m", "not slow", *([*SHORT, "-k", few] if short else QUICK), *rest]
    if "avx512f" not in targets.this_machine().features:
        return tested(chosen, os.environ)
    emulator = found() or installed()
    if emulator is None:
        print("QEMU's user mode is not here; install it: apt-get install qemu-user", file=sys.stderr)
        return 0 if short else 1
    with tempfile.TemporaryDirectory(prefix="sardonyx-avx2-") as cache:
        environment = {**os.environ, "SARDONYX_CACHE": cache}
        print("filling the cache for x86_64-v3", flush=True)
        tested(chosen, {**environment, "SARDONYX_TARGET": "x86_64-v3"}, quiet=True)
        command = f"{emulator} -cpu {HASWELL} {sys.executable}"
        what = subprocess.check_output([*command.split(), "-c", WHICH], text=True, env=environment)
        print(f"emulating {what.strip()}", flush=True)
        return tested(chosen, {**environment, "TEST_MASKED_BYTES": MASKED_BYTES}, python=command)


WHICH = "from sardonyx import targets; print(targets.detect().name)"


def found() -> str | None:
    """The emulator, if it is installed."""
    return shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")


def installed() -> str | None:
    """The emulator, from Debian's packages if this user may install them."""
    if os.geteuid() or not shutil.which("apt-get"):
        return None
    for command in (["update", "-qq"], ["install", "-y", "-qq", "qemu-user"]):
        subprocess.run(["apt-get", *command], stdout=subprocess.DEVNULL, check=False)
    return found()


def tested(chosen: list[str], environment: dict[str, str], python: str = "", *, quiet: bool = False) -> int:
    """Pytest's exit code; its processes run under `python`, or as this one does."""
    worker = f"popen//python={python}" if python else "popen"
    spread = ["--tx", f"{PROCESSES}*{worker}", "--dist", "worksteal"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *spread, *chosen]
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, env=environment, stdout=output, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
