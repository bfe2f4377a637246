"""Runs the checks of a model to be registered and decides whether it may be.

They run in a process of their own (see examine.py) with a limit on its time. Must not know tables.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sardonyx.protocol.errors import invalid
from sardonyx.protocol.records import Check, Signature

LIMIT_S = 600
_ORDER = ("checker", "smoke", "native", "parity")


@dataclass(frozen=True, slots=True)
class Examination:
    """What a model is and what its checks found."""

    signature: Signature
    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[Check]:
        """The checks that refuse it."""
        return [check for check in self.checks if check.verdict == "failed"]


def examined(path: Path, samples: Path | None = None, limit_s: float = LIMIT_S) -> Examination:
    """Check the model file `path`; what a crash or the limit in seconds cuts off counts as failed.

    Raises ServeError INVALID_ARGUMENT if it is not an ONNX model at all.
    """
    command = [sys.executable, "-m", "sardonyx.registry.examine", str(path)]
    if samples is not None:
        command.append(str(samples))
    why = ""
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit_s, env=_environment(), check=False)
        lines = done.stdout.splitlines()
        if done.returncode:
            why = _last_words(done)
    except subprocess.TimeoutExpired as expired:
        lines = (expired.stdout or b"").splitlines()
        why = f"it was not done after {limit_s:.0f} s"
    signature, checks = _read(lines)
    if signature is None and not why:
        raise invalid(
            f"{path.name} is not an ONNX model: {checks[0].detail if checks else 'nothing was read'}"
        )
    if why:
        missing = next((name for name in _ORDER if name not in {check.name for check in checks}), "smoke")
        checks.append(Check(name=missing, verdict="failed", detail=why))
    return Examination(signature or Signature(), tuple(checks))


def _read(lines: Sequence[bytes]) -> tuple[Signature | None, list[Check]]:
    signature, checks = None, []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if "signature" in row:
            signature = msgspec.convert(row["signature"], Signature)
        elif "check" in row:
            checks.append(msgspec.convert(row["check"], Check))
    return signature, checks


def _last_words(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        return f"the engine was ended by signal {-done.returncode}"
    words = done.stderr.decode(errors="replace").strip().splitlines()
    return words[-1] if words else f"the engine ended with code {done.returncode}"


def _environment() -> dict[str, str]:
    folders = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "PYTHONPATH": folders}
