"""The user's own line is found among those of frameworks and of this package."""

from __future__ import annotations

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
