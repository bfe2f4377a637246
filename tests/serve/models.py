"""Small models that tests serve, as ONNX text."""

from __future__ import annotations

from pathlib import Path

import onnx

SUM_AND_DIFFERENCE = """
<ir_version: 10, opset_import: ["" : 21]>
simple (int32[N, 16] INPUT0, int32[N, 16] INPUT1) => (int32[N, 16] OUTPUT0, int32[N, 16] OUTPUT1) {
    OUTPUT0 = Add(INPUT0, INPUT1)
    OUTPUT1 = Sub(INPUT0, INPUT1)
}
"""
IDENTITY = """
<ir_version: 10, opset_import: ["" : 21]>
identity (TYPE[N, M] x) => (TYPE[N, M] y) {
    y = Identity(x)
}
"""


def identity(element: str) -> str:
    """A model that gives back what it takes, of an ONNX element type."""
    return IDENTITY.replace("TYPE", element)


def save(text: str, path: Path) -> Path:
    """Write the model of an ONNX text; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx.parser.parse_model(text), path)
    return path


SUM_OF_TEXTS = """
<ir_version: 10, opset_import: ["" : 21]>
texts (string[N, 16] INPUT0, string[N, 16] INPUT1) => (string[N, 16] OUTPUT0, string[N, 16] OUTPUT1) {
    a = Cast<to = 6>(INPUT0)
    b = Cast<to = 6>(INPUT1)
    sum = Add(a, b)
    difference = Sub(a, b)
    OUTPUT0 = Cast<to = 8>(sum)
    OUTPUT1 = Cast<to = 8>(difference)
}
"""
IDENTITY_OF_TEXTS = """
<ir_version: 10, opset_import: ["" : 21]>
same (string[N, M] INPUT0) => (string[N, M] OUTPUT0) {
    OUTPUT0 = Identity(INPUT0)
}
"""
STARTED = """
<ir_version: 10, opset_import: ["" : 21]>
started (int32[N, 1] INPUT, int32[N, 1] START) => (int32[N, 1] OUTPUT) {
    OUTPUT = Add(INPUT, START)
}
"""
STARTED_AND_ENDED = """
<ir_version: 10, opset_import: ["" : 21]>
ended (int32[N, 1] INPUT, int32[N, 1] START, int32[N, 1] END, int32[N, 1] ID) => (int32[N, 1] OUTPUT) {
    started = Add(INPUT, START)
    added = Mul(END, ID)
    OUTPUT = Add(started, added)
}
"""
ACCUMULATED = """
<ir_version: 10, opset_import: ["" : 21]>
accumulated (int32[N, 1] INPUT, int32[N, 1] END, int32[N, 1] ID, int32[N, 1] BEFORE)
    => (int32[N, 1] OUTPUT, int32[N, 1] AFTER) {
    AFTER = Add(INPUT, BEFORE)
    added = Mul(END, ID)
    OUTPUT = Add(AFTER, added)
}
"""
CONTROL = "control_input [ {{ name: '{0}' control [ {{ kind: CONTROL_SEQUENCE_{1} {2} }} ] }} ]"
FLAG = "int32_false_true: [ 0, 1 ]"
STARTED_CONFIG = f"""
max_batch_size: 1
sequence_batching {{
  max_sequence_idle_microseconds: 5000000
  {CONTROL.format("START", "START", FLAG)}
}}
"""
STARTED_AND_ENDED_CONFIG = f"""
max_batch_size: 8
sequence_batching {{
  max_sequence_idle_microseconds: 5000000
  {CONTROL.format("START", "START", FLAG)}
  {CONTROL.format("END", "END", FLAG)}
  {CONTROL.format("ID", "CORRID", "data_type: TYPE_INT32")}
}}
"""
ACCUMULATED_CONFIG = f"""
max_batch_size: 8
sequence_batching {{
  max_sequence_idle_microseconds: 5000000
  {CONTROL.format("END", "END", FLAG)}
  {CONTROL.format("ID", "CORRID", "data_type: TYPE_INT32")}
  state [ {{
    input_name: "BEFORE" output_name: "AFTER" data_type: TYPE_INT32 dims: [ 1 ]
    initial_state: {{ data_type: TYPE_INT32 dims: [ 1 ] zero_data: true name: "zero" }}
  }} ]
}}
"""


def repository(root: Path, models: dict[str, tuple[str, str]]) -> Path:
    """A folder as Triton keeps it, of (ONNX text, config.pbtxt) by name."""
    for name, (text, config) in models.items():
        save(text, root / name / "1" / "model.onnx")
        if config:
            (root / name / "config.pbtxt").write_text(config)
    return root


def triton_repository(root: Path) -> Path:
    """The models that Triton's own client examples ask."""
    dims = 'name: "{0}" data_type: TYPE_{1} dims: [ {2} ]'
    text = f"max_batch_size: 8 input [ {{ {dims.format('INPUT0', 'STRING', -1)} }} ]"
    return repository(
        root,
        {
            "simple": (SUM_AND_DIFFERENCE, "max_batch_size: 8 dynamic_batching { }"),
            "simple_int8": (SUM_AND_DIFFERENCE.replace("int32", "int8"), "max_batch_size: 8"),
            "simple_string": (SUM_OF_TEXTS, "max_batch_size: 8"),
            "simple_identity": (IDENTITY_OF_TEXTS, text),
            "simple_sequence": (STARTED, STARTED_CONFIG),
            "simple_dyna_sequence": (STARTED_AND_ENDED, STARTED_AND_ENDED_CONFIG),
            "simple_string_dyna_sequence": (ACCUMULATED, ACCUMULATED_CONFIG),
        },
    )


REPEAT = """
import time

def run(IN, DELAY, WAIT):
    for value, delay in zip(IN, DELAY):
        time.sleep(delay / 1e6)
        yield {"OUT": [value]}
"""
REPEAT_CONFIG = """
name: "repeat_int32"
backend: "python"
model_transaction_policy { decoupled: true }
input [
  { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] },
  { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] },
  { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] }
]
output [ { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
"""


def step(root: Path, name: str, program: str, config: str) -> None:
    """Add a step in Python to a repository."""
    (root / name / "1").mkdir(parents=True)
    (root / name / "1" / "model.py").write_text(program)
    (root / name / "config.pbtxt").write_text(config)


def repeating(root: Path) -> Path:
    """A repository with Triton's model that repeats what it is fed, one answer a value."""
    step(root, "repeat_int32", REPEAT, REPEAT_CONFIG)
    return root


PICTURE = """
<ir_version: 10, opset_import: ["" : 21]>
densenet (float[1, 3, 224, 224] data_0) => (float[1, 3, 1, 1] fc6_1) {
    fc6_1 = GlobalAveragePool(data_0)
}
"""
PICTURE_CONFIG = """
name: "densenet_onnx"
platform: "onnxruntime_onnx"
max_batch_size : 0
input [
  {
    name: "data_0" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, 224, 224 ]
    reshape { shape: [ 1, 3, 224, 224 ] }
  }
]
output [
  {
    name: "fc6_1" data_type: TYPE_FP32 dims: [ 3 ]
    reshape { shape: [ 1, 3, 1, 1 ] } label_filename: "densenet_labels.txt"
  }
]
"""
BATCHED_CONFIG = """
max_batch_size : 1
input [ { name: "data_0" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, 224, 224 ] } ]
output [ { name: "fc6_1" data_type: TYPE_FP32 dims: [ 3 ] reshape { shape: [ 3, 1, 1 ] } } ]
"""
OPENED = """
import io

import numpy as np
from PIL import Image

def run(INPUT):
    picture = Image.open(io.BytesIO(INPUT[0, 0])).convert("RGB").resize((224, 224))
    return {"OUTPUT": np.asarray(picture, np.float32).transpose(2, 0, 1)[np.newaxis]}
"""
OPENED_CONFIG = """
name: "preprocess"
backend: "python"
max_batch_size: 1
input [ { name: "INPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ 3, 224, 224 ] } ]
"""
PIPELINE_CONFIG = """
name: "preprocess_inception_ensemble"
platform: "ensemble"
max_batch_size: 1
input [ { name: "INPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "CLASSIFICATION" data_type: TYPE_FP32 dims: [ 3 ] label_filename: "labels.txt" } ]
ensemble_scheduling { step [
  { model_name: "preprocess" model_version: -1
    input_map { key: "INPUT" value: "INPUT" } output_map { key: "OUTPUT" value: "picture" } },
  { model_name: "inception" model_version: -1
    input_map { key: "data_0" value: "picture" } output_map { key: "fc6_1" value: "CLASSIFICATION" } }
] }
"""


def pictures_repository(root: Path) -> Path:
    """The models that Triton's client examples ask about pictures; the classes are the colours."""
    repository(
        root,
        {
            "densenet_onnx": (PICTURE, PICTURE_CONFIG),
            "inception": (PICTURE.replace("[1", "[N"), BATCHED_CONFIG),
            "custom_identity_int32": (
                IDENTITY.replace("TYPE", "int32")
                .replace(" x", " INPUT0")
                .replace(" y", " OUTPUT0")
                .replace("(x)", "(INPUT0)"),
                "max_batch_size: 1",
            ),
        },
    )
    (root / "densenet_onnx" / "densenet_labels.txt").write_text("red\ngreen\nblue\n")
    step(root, "preprocess", OPENED, OPENED_CONFIG)
    (root / "preprocess_inception_ensemble" / "1").mkdir(parents=True)
    (root / "preprocess_inception_ensemble" / "config.pbtxt").write_text(PIPELINE_CONFIG)
    (root / "preprocess_inception_ensemble" / "labels.txt").write_text("red\ngreen\nblue\n")
    return root
