"""docs/add_an_op.md is followed to the letter: its operator runs on every target, fused like any other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TRY = """
import numpy as np
import onnx.parser
import sardonyx

model = onnx.parser.parse_model('''<ir_version: 10, opset_import: ["" : 20, "page.example" : 1]>
agraph (float[N, 5] x, float[1] level) => (float[N, 5] y) {
    h = page.example.Hill<power = 3>(x, level)
    y = Relu(h)
}''').SerializeToString()
x = np.linspace(-2, 2, 15, dtype=np.float32).reshape(3, 5)
level = np.float32([0.25])
expected = np.maximum(1 / (1 + np.abs(x.astype(float)) ** 3) - level, 0)
for target in ("", "reference"):
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", target)
    session = sardonyx.InferenceSession(model, options)
    (y,) = session.run(None, {"x": x, "level": level})
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    assert not session.report.fallbacks
    assert len(session.report.kernels) == 1
"""


def test_an_operator_is_added_by_following_the_page(tmp_path: Path) -> None:
    page = (ROOT / "docs/add_an_op.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    script = tmp_path / "added.py"
    script.write_text(code + TRY)
    path = {"PYTHONPATH": str(ROOT / "src"), "HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, str(script)], env=path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
