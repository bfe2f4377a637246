"""One-hot encoders say as ONNX what they say, of rare categories and of such as were never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_onehot

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")
HUES = ["red"] * 9 + ["blue"] * 8 + ["pink", "grey", "teal"]
SIZES = [3] * 10 + [5] * 8 + [7, 9]
STRANGE = [*HUES[-3:], "never", "", "red"]
LIKELY = {"handle_unknown": "infrequent_if_exist"}
RARE = {"min_frequency": 2, **LIKELY}


def said(model: Any, rows: Any) -> np.ndarray:
    answer = model.transform(rows)
    return answer.toarray() if hasattr(answer, "toarray") else answer


@pytest.mark.parametrize(
    "options",
    [
        RARE,
        {"max_categories": 2, **LIKELY},
        {"min_frequency": 2, "handle_unknown": "warn"},
        {"min_frequency": 30, **LIKELY},
        {"min_frequency": 2, "handle_unknown": "ignore"},
        {**RARE, "dtype": np.int64},
        {**RARE, "sparse_output": False},
        LIKELY,
        {"drop": "first", "handle_unknown": "ignore"},
        {"handle_unknown": "ignore"},
    ],
    ids=str,
)
@pytest.mark.parametrize("beside", [False, True])
def test_texts(options: dict[str, Any], beside: bool) -> None:
    rows = pandas.DataFrame({"hue": HUES, "kind": HUES[::-1]} if beside else {"hue": HUES})
    model = OneHotEncoder(**options).fit(rows)
    asked = pandas.DataFrame(dict.fromkeys(rows, STRANGE))
    made = from_sklearn(model, sample=asked)
    ours = made.session().run(None, {i.name: asked.to_numpy(object) for i in made.session().get_inputs()})
    np.testing.assert_array_equal(ours[0], said(model, asked))


def test_columns_of_texts_and_numbers() -> None:
    rows = pandas.DataFrame({"size": SIZES, "hue": HUES, "area": np.arange(20.0), "kind": SIZES[::-1]})
    encoder = ColumnTransformer(
        [("one", OneHotEncoder(**RARE), ["hue"]), ("two", OneHotEncoder(**RARE), ["size", "kind"])],
        remainder=MinMaxScaler(),
    )
    model = make_pipeline(encoder).fit(rows)
    asked = pandas.DataFrame(
        {"size": [3, 5, 7, 9, 11], "hue": STRANGE[:5], "area": np.ones(5), "kind": [5, 3, 1, 9, 7]}
    )
    made = from_sklearn(model, sample=asked)
    feeds = {name: asked[[name]].to_numpy(object if name == "hue" else np.float32) for name in asked}
    np.testing.assert_allclose(made.session().run(None, feeds)[0], said(model, asked), atol=1e-6)


@pytest.mark.parametrize("strange", [1.5, np.nan])
def test_categories_that_are_no_whole_numbers_are_refused(strange: float) -> None:
    model = OneHotEncoder(**RARE).fit(np.array([[strange]] * 9 + [[2.0]] * 9 + [[7.0]]))
    with pytest.raises(ConvertError, match=f"texts or whole numbers as ONNX has them.*{strange}"):
        from_sklearn(model)


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = known[OneHotEncoder]
    with sklearn_onehot.registered():
        assert known[OneHotEncoder] == "SardonyxOneHotEncoder"
    assert known[OneHotEncoder] == before
