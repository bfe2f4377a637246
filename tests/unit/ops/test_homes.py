"""The table that says which file registers an operator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sardonyx

SOURCE = str(Path(sardonyx.__file__).parents[1])


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {SOURCE!r})\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_is_the_generated_one() -> None:
    done = python("sys.argv = ['homes', '--check']; from sardonyx.tools.homes import main; sys.exit(main())")
    assert done.returncode == 0, "`make docs` writes it\n" + done.stderr


def test_an_operator_imports_its_own_file() -> None:
    done = python(
        "from sardonyx import ops; from sardonyx.ops import table\n"
        "ops.register('', 'Softmax'); table.lookup('', 'Softmax', 13)\n"
        "print('sardonyx.ops.microsoft.attention' in sys.modules, 'sardonyx.ops.onnx.rnn' in sys.modules)\n"
        "ops.register('', 'NoSuch'); table.lookup('com.microsoft', 'Attention', 1)\n"
    )
    assert (done.stdout, done.stderr) == ("False False\n", "")
