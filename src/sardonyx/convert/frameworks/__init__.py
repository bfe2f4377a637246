"""The table of frameworks: what each kind of source needs and which file converts it. Imports none."""

from __future__ import annotations

from sardonyx.convert.framework import ConvertError, Framework

FRAMEWORKS: dict[str, Framework] = {
    row.kind: row
    for row in (
        Framework(
            "sklearn",
            "scikit-learn",
            "tabular.sklearn",
            ("sklearn", "skl2onnx"),
            "tables",
            ("scikit-learn", "skl2onnx", "lightgbm", "xgboost", "xgboost-cpu"),
            ("sklearn", "imblearn"),
            extra="convert-sklearn",
        ),
        Framework(
            "lightgbm",
            "LightGBM",
            "tabular.lightgbm",
            ("lightgbm", "onnx"),
            "tables",
            ("lightgbm",),
            ("lightgbm",),
            extra="convert-lightgbm",
        ),
        Framework(
            "xgboost",
            "XGBoost",
            "tabular.xgboost",
            ("xgboost", "onnx"),
            "tables",
            ("xgboost", "xgboost-cpu"),
            ("xgboost",),
            extra="convert-xgboost",
        ),
        Framework(
            "catboost",
            "CatBoost",
            "tabular.catboost",
            ("catboost",),
            "tables",
            ("catboost",),
            ("catboost",),
            extra="convert-catboost",
        ),
        Framework(
            "torch",
            "PyTorch",
            "networks.torch",
            ("torch", "onnxscript"),
            "torch",
            ("torch", "onnxscript"),
            ("torch",),
            extra="convert-torch",
        ),
        Framework(
            "torchscript",
            "TorchScript",
            "networks.torchscript",
            ("torch", "onnxscript"),
            "torch",
            ("torch",),
            extra="convert-torch",
        ),
        Framework(
            "huggingface",
            "Transformers",
            "networks.huggingface",
            ("transformers", "torch", "onnxscript"),
            "torch",
            ("transformers", "torch", "onnxscript"),
            ("transformers",),
            extra="convert-huggingface",
        ),
        Framework(
            "tensorflow",
            "TensorFlow SavedModel",
            "networks.tensorflow",
            ("tensorflow", "tf2onnx"),
            "tensorflow",
            ("tensorflow", "tensorflow-cpu", "tf2onnx"),
            ("tensorflow",),
        ),
        Framework(
            "keras2",
            "Keras 2",
            "networks.tensorflow",
            ("tensorflow", "tf2onnx", "tf_keras"),
            "tensorflow",
            ("keras", "tensorflow-cpu", "tf2onnx"),
            ("tf_keras",),
        ),
        Framework(
            "tflite",
            "TensorFlow Lite",
            "networks.tflite",
            ("tensorflow", "tf2onnx"),
            "tensorflow",
            ("tensorflow", "tensorflow-cpu", "tf2onnx"),
        ),
        Framework(
            "keras",
            "Keras 3",
            "networks.keras",
            ("keras", "tensorflow", "tf2onnx"),
            "keras",
            ("keras", "tensorflow", "tensorflow-cpu", "tf2onnx"),
            ("keras",),
            extra="convert-keras",
        ),
        Framework(
            "jax",
            "JAX",
            "networks.jax",
            ("jax", "jax2onnx"),
            "jax",
            ("jax", "flax", "equinox", "jax2onnx"),
            ("jax", "jaxlib", "flax", "equinox"),
            extra="convert-jax",
        ),
        Framework(
            "paddle",
            "PaddlePaddle",
            "networks.paddle",
            ("paddle", "paddle2onnx"),
            "paddle",
            ("paddlepaddle", "paddle2onnx"),
            ("paddle",),
        ),
        Framework("mxnet", "MXNet", "networks.mxnet", ("mxnet",), "mxnet", ("mxnet",)),
        Framework(
            "chainer",
            "Chainer",
            "networks.chainer",
            ("chainer", "onnx_chainer"),
            "chainer",
            ("chainer",),
            ("chainer",),
        ),
        Framework("onnx", "ONNX", "networks.onnx", ("onnx",), "", ()),
    )
}


def framework(kind: str) -> Framework:
    """The row of a kind; ConvertError lists those there are."""
    row = FRAMEWORKS.get(kind)
    if row is None:
        raise ConvertError(f"there is no source of kind {kind!r}; there are {', '.join(FRAMEWORKS)}")
    return row


def framework_of(model: object) -> Framework:
    """The row of an object's class or of one that it derives from; ConvertError if there is none."""
    roots = [kind.__module__.partition(".")[0] for kind in type(model).__mro__]
    for root in roots:
        for row in FRAMEWORKS.values():
            if root in row.roots:
                return row
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise ConvertError(
        f"an object of class {kind} is not of a framework known here; there are {', '.join(FRAMEWORKS)}"
    )
