"""A converter is another one while it is asked for, and what it was behind that, also after an error."""

from __future__ import annotations

from typing import Any

import pytest
from skl2onnx import _supported_operators as known
from skl2onnx.common._registration import get_converter
from sklearn.linear_model import Ridge

from sardonyx.convert.frameworks.tabular.sklearn_replaced import replaced


def test_a_converter_is_replaced_for_a_while() -> None:
    names = known.sklearn_operator_name_map
    before, given = names[Ridge], []

    def changed(original: Any) -> Any:
        given.append(original)
        return lambda scope, operator, container: original(scope, operator, container)

    with pytest.raises(KeyError), replaced((Ridge,), changed):
        assert names[Ridge] == "SardonyxRidge"
        assert get_converter(names[Ridge]) is not given[0]
        raise KeyError
    assert (names[Ridge], [get_converter(before)]) == (before, given)
