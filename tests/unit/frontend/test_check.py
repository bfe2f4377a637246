"""ONNX's own checker speaks through one kind of error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from sardonyx.errors import LoadError
from sardonyx.frontend.check import check_file

GOOD = '<ir_version: 10, opset_import: ["" : 21]> g (float[N] x) => (float[N] y) { y = Exp(x) }'


ALONE = """
from sardonyx.registry.examine import examine
assert [check.verdict for check in examine(Path(sys.argv[1]), None)] == ["passed"] * 3 + ["skipped"]
assert not {"onnx", "ml_dtypes"} & set(sys.modules)
import onnx
import onnx.inliner, onnx.reference
from sardonyx.errors import LoadError
from sardonyx.frontend.check import check_file
model = onnx.version_converter.convert_version(onnx.load(sys.argv[1]), 22)
onnx.checker.check_model(onnx.shape_inference.infer_shapes(onnx.inliner.inline_local_functions(model)), True)
assert onnx.defs.get_schema("Exp").name in onnx.printer.to_text(model)
assert onnx.reference.ReferenceEvaluator(model).run(None, {"x": np.zeros(2, np.float32)})[0].sum() == 2
model.graph.node[0].op_type = "Nonsense"
onnx.save(model, sys.argv[1])
try:
    check_file(sys.argv[1])
except LoadError as error:
    print(error)
"""


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = onnx.parser.parse_model(GOOD)
    onnx.save(model, path)
    check_file(path)
    model.graph.node[0].op_type = "Nonsense"
    onnx.save(model, path)
    with pytest.raises(LoadError, match="Nonsense") as error:
        check_file(path)
    assert error.value.kind == "graph"
    path.write_bytes(b"\xff\xff")
    with pytest.raises(LoadError):
        check_file(path)


def test_the_checker_is_loaded_without_its_package_which_is_whole_when_it_is_imported_later(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(GOOD), path)
    code = f"import sys; sys.path[:0] = {sys.path!r}\nfrom pathlib import Path\nimport numpy as np\n{ALONE}"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Nonsense" in done.stdout
