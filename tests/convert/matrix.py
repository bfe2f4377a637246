"""What is converted by every framework in its own environment, and the page that says how near it came.

`python -m tests.convert.matrix [KIND ...]` runs the rows and rewrites docs/convert.md.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sardonyx.convert import Converted, convert, environments
from sardonyx.convert.frameworks import framework

NETWORKS = Path(__file__).with_name("networks")


@dataclass(frozen=True)
class Row:
    """A model to convert: what it is, the script that makes it and the file or function that comes of it."""

    kind: str
    what: str
    script: str
    source: str
    inputs: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    part: str | None = None

    @property
    def name(self) -> str:
        """For tests."""
        return f"{self.kind} {self.what}"


ROWS = (
    Row("torch", "module with convolutions", "torch_modules", "torch_modules:pictures"),
    Row(
        "torch",
        "module, free picture size",
        "torch_modules",
        "torch_modules:pictures",
        dynamic=("batch", "_", "height", "width"),
    ),
    Row(
        "torch",
        "transformer layer",
        "torch_modules",
        "torch_modules:words",
        inputs=("ids=2,7:int64", "mask=2,7"),
        dynamic=("batch", "length"),
    ),
    Row("torch", "LSTM", "torch_modules", "torch_modules:recurrent"),
    Row("torch", "ExportedProgram (.pt2)", "torch_modules", "program.pt2"),
    Row("torchscript", "scripted module with a branch", "torch_modules", "scripted.pt", inputs=("x=2,3",)),
    Row("huggingface", "BERT, classification", "transformers_folders", "bert"),
    Row("huggingface", "RoBERTa", "transformers_folders", "roberta"),
    Row("huggingface", "GPT-2 with cache", "transformers_folders", "gpt2"),
    Row("huggingface", "Llama with cache", "transformers_folders", "llama"),
    Row("huggingface", "ViT", "transformers_folders", "vit"),
    Row("huggingface", "Whisper, encoder", "transformers_folders", "whisper", part="encoder"),
    Row("huggingface", "Whisper, decoder", "transformers_folders", "whisper", part="decoder"),
    Row("huggingface", "T5, encoder", "transformers_folders", "t5", part="encoder"),
    Row("huggingface", "T5, decoder", "transformers_folders", "t5", part="decoder"),
)


def made(script: str, kind: str, folder: Path) -> Path:
    """The folder with what a script makes, in the environment of the framework; made once."""
    target = folder / script
    if not target.is_dir():
        target.mkdir(parents=True)
        python = environments.python_of(framework(kind).lock)
        done = subprocess.run(
            [python, NETWORKS / f"{script}.py", target],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return target


def converted(row: Row, folder: Path) -> Converted:
    """The model of a row."""
    source = row.source if ":" in row.source else str(made(row.script, row.kind, folder) / row.source)
    return convert(
        source,
        kind=None,
        isolated=True,
        dynamic=row.dynamic,
        options={"inputs": row.inputs, "part": row.part},
    )


def rows_of(kinds: Sequence[str]) -> list[Row]:
    """The rows of these kinds, or all."""
    return [row for row in ROWS if not kinds or row.kind in kinds]
