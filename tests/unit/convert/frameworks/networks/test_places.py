"""The user's own line is found among those of frameworks and of this package."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.convert.frameworks.networks.places import place_of

OWN = 'File "/home/me/net.py", line 12, in forward\n    y = fold(x)\n'
OTHERS = (
    "/lib/site-packages/torch/nn/module.py",
    "/src/sardonyx/convert/frameworks/torch.py",
    "/usr/lib/python3.11/contextlib.py",
    "<frozen importlib>",
)


@pytest.mark.parametrize("other", OTHERS)
def test_the_last_own_line_is_told(other: str) -> None:
    text = OWN.replace("12", "3") + OWN + OWN.replace("/home/me/net.py", other)
    assert place_of(text) == ", in forward (/home/me/net.py:12: y = fold(x))"
    assert place_of(OWN.replace("/home/me/net.py", other)) == place_of("") == ""


def test_lambdas_and_modules_have_places_too() -> None:
    assert place_of(OWN.replace("forward", "<lambda>")) == ", in <lambda> (/home/me/net.py:12: y = fold(x))"


def test_a_trace_without_code_is_read_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("import x\n\ny = fold(x)\n", encoding="utf-8")
    text = f'  File "{file}", line 3, in make\n  File "/lib/site-packages/x.py", line 1, in inner\n    pass\n'
    assert place_of(text) == f", in make ({file}:3: y = fold(x))"
    assert place_of('File "gone.py", line 3, in make\n') == ", in make (gone.py:3)"
