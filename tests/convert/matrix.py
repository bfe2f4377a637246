"""What is converted by every framework in its own environment, and the page that says how near it came.

`python -m tests.convert.matrix [KIND ...]` runs the rows and rewrites docs/convert.md.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sardonyx.convert import Converted, convert, environments
from sardonyx.convert.framework import PickleWarning
from sardonyx.convert.frameworks import framework

NETWORKS = Path(__file__).with_name("networks")
RESULTS = Path(__file__).with_name("results.json")
TEXT = Path(__file__).with_name("convert.md")
PAGE = Path(__file__).parents[2] / "docs" / "convert.md"


@dataclass(frozen=True)
class Row:
    """A model to convert: what it is, the script that makes it and the file or function that comes of it.

    `fixed` says that its exporter bakes sizes in.
    """

    kind: str
    what: str
    script: str
    source: str
    inputs: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    part: str | None = None
    fixed: bool = False

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
    Row("sklearn", "random forest, joblib", "table_models", "forest.joblib"),
    Row("sklearn", "columns, then LightGBM", "table_models", "lightgbm.joblib"),
    Row("sklearn", "columns, then XGBoost", "table_models", "xgboost.joblib"),
    Row("lightgbm", "classifier, text file", "table_models", "classes.txt"),
    Row("lightgbm", "linear leaves", "table_models", "linear.txt"),
    Row("xgboost", "classifier, UBJSON", "table_models", "classes.ubj"),
    Row("xgboost", "dart, categories", "table_models", "dart.json"),
    Row("xgboost", "linear booster", "table_models", "linear.json"),
    Row("xgboost", "random forest", "table_models", "forest.ubj"),
    Row("xgboost", "two targets in each leaf", "table_models", "vectors.ubj"),
    Row("xgboost", "ranking", "table_models", "ranks.ubj"),
    Row("catboost", "three classes", "table_models", "classes.cbm"),
    Row("catboost", "two classes", "table_models", "two.cbm"),
    Row("catboost", "regression", "table_models", "values.cbm"),
    Row("tensorflow", "SavedModel of Keras", "tensorflow_models", "pictures_saved"),
    Row("tensorflow", "SavedModel of two inputs and answers", "tensorflow_models", "scorer_saved"),
    Row("keras2", "convolutions, .h5", "tensorflow_models", "pictures.h5"),
    Row("tflite", "float32", "tensorflow_models", "float.tflite"),
    Row("tflite", "uint8", "tensorflow_models", "uint8.tflite"),
    Row("keras", "convolutions, .keras", "keras_models", "pictures.keras"),
    Row("keras", "convolutions, .h5", "keras_models", "pictures.h5"),
    Row("keras", "GRU over tokens", "keras_models", "texts.keras"),
    Row("keras", "two inputs and answers", "keras_models", "two.keras"),
    Row("jax", "Flax NNX, convolution", "jax_modules", "jax_modules:pictures"),
    Row("jax", "Equinox, perceptron", "jax_modules", "jax_modules:perceptron"),
    Row("jax", "function of two inputs", "jax_modules", "jax_modules:formula"),
    Row("paddle", "convolution", "paddle_models", "pictures"),
    Row("paddle", "LSTM", "paddle_models", "words"),
    Row("mxnet", "convolution", "mxnet_models", "pictures", inputs=("data=2,3,16,16",)),
    Row("mxnet", "perceptron", "mxnet_models", "rows", inputs=("data=2,5",)),
    Row("chainer", "convolution", "chainer_chains", "chainer_chains:pictures", fixed=True),
    Row("chainer", "perceptron", "chainer_chains", "chainer_chains:rows"),
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PickleWarning)
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


def main(kinds: Sequence[str]) -> int:
    """Run the rows, record what came of them, and write the page."""
    os.chdir(NETWORKS)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    with tempfile.TemporaryDirectory() as scratch:
        for row in rows_of(kinds):
            known[row.name] = record(row, converted(row, Path(scratch)))
            print(f"{row.name:50} {known[row.name]['error']:.1e}", flush=True)
            kept = {each.name: known[each.name] for each in ROWS if each.name in known}
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            PAGE.write_text(page(kept), encoding="utf-8")
    return 0


def record(row: Row, model: Converted) -> dict[str, Any]:
    """What a conversion came to, as JSON."""
    facts = {entry.key: entry.value for entry in model.model.metadata_props}
    opsets = sorted(model.model.opset_import, key=lambda entry: entry.domain)
    return {
        "date": datetime.date.today().isoformat(),
        "versions": json.loads(facts["versions"]),
        "opset": ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in opsets),
        "error": model.parity.largest_error,
        "differing": sum(output.differing for output in model.parity.outputs),
        "count": sum(output.count for output in model.parity.outputs),
    }


def page(results: Mapping[str, Any]) -> str:
    """docs/convert.md."""
    head = ("source", "model", "versions", "opset", "largest error", "differing", "run on")
    lines = [f"| {' | '.join(head)} |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for row in ROWS:
        told = results.get(row.name)
        if told is not None:
            versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
            counted = f"{told['differing']} of {told['count']}"
            cells = (framework(row.kind).title, row.what, versions, told["opset"])
            cells += (f"{told['error']:.1e}", counted, told["date"])
            lines.append(f"| {' | '.join(cells)} |")
    locks = [
        f"| `{lock.name}` | {' or '.join(lock.pythons)} | {lock.size} MB |" for lock in environments.locks()
    ]
    return TEXT.read_text(encoding="utf-8").format(
        matrix="\n".join(lines),
        environments="\n".join(["| environment | Python | size |", "| --- | --- | --- |", *locks]),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
