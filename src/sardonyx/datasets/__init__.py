"""Three small models for documentation and first tries.

`mul_1.onnx` multiplies a [3, 2] matrix by constants, `sigmoid.onnx` is one operator, `logreg_iris.onnx` is a
logistic regression over two measures of irises with a ZipMap. Must not know the engine.
"""

from __future__ import annotations

from pathlib import Path


def get_example(name: str) -> str:
    """The absolute path of an example by its file name.

    Raises:
        FileNotFoundError: no example has that name; the message lists them.
    """
    folder = Path(__file__).resolve().parent
    known = sorted(path.name for path in folder.glob("*.onnx"))
    if name not in known:
        raise FileNotFoundError(f"Unable to find example '{name}'; the examples are {', '.join(known)}")
    return str(folder / name)
