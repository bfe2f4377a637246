"""Models of LightGBM and XGBoost: goals, boosters, categories, missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightgbm import LGBMClassifier, LGBMRanker, LGBMRegressor
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier, XGBRFRegressor

from tests.frameworks.row import CLASSES, VALUES, Row

TWO, THREE, TEN, ONE = "scaled breast_cancer", "iris", "digits", "diabetes"
LEAF_RULES = {"min_child_samples": 5, "verbose": -1}
RANDOM_FOREST = {"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1}
GROUPS = {"group": [65, 65]}
CATEGORIES = ["c"] * 13


def boosted(kind: Any, data: str, tells: Any, label: str = "", **told: Any) -> Row:
    """A row of 20 trees; `label` and the parameters name it."""
    parts = {
        key: told.pop(key) for key in ("options", "fit", "limit", "quick", "numbers", "host") if key in told
    }
    name = f"{kind.__name__}({', '.join(f'{key}={value!r}' for key, value in told.items())}){label}"
    more = LEAF_RULES if kind.__name__.startswith("LGBM") else {}
    model = kind(**({"n_estimators": 20, "random_state": 0, "n_jobs": 1} | more | told))
    return Row(model, data, tells, label=name, **parts)


LIGHTGBM = (
    boosted(LGBMClassifier, TWO, CLASSES, quick=True),
    boosted(LGBMClassifier, THREE, CLASSES, quick=True),
    boosted(LGBMClassifier, "named", CLASSES, host=("gather",)),
    boosted(LGBMClassifier, THREE, CLASSES, options={"zipmap": True}, host=("zip_map",)),
    boosted(LGBMClassifier, TEN, CLASSES),
    boosted(LGBMClassifier, "holes", CLASSES),
    boosted(LGBMClassifier, TWO, CLASSES, boosting_type="dart"),
    boosted(LGBMClassifier, TWO, CLASSES, limit="divides probabilities by 100", **RANDOM_FOREST),
    boosted(
        LGBMClassifier,
        THREE,
        CLASSES,
        objective="multiclassova",
        limit="takes softmax in place of a sigmoid for each class",
    ),
    boosted(
        LGBMClassifier,
        "grades",
        CLASSES,
        " with categories",
        fit={"categorical_feature": list(range(13))},
        min_data_per_group=5,
        cat_smooth=1,
        max_cat_to_onehot=2,
        quick=True,
    ),
    boosted(LGBMClassifier, "sparse digits", CLASSES),
    boosted(LGBMRegressor, ONE, VALUES, quick=True),
    boosted(LGBMRegressor, ONE, VALUES, numbers=np.float64),
    boosted(LGBMRegressor, "holes", VALUES),
    boosted(LGBMRegressor, "counts", VALUES, objective="poisson"),
    boosted(LGBMRegressor, "counts", VALUES, objective="gamma"),
    boosted(LGBMRegressor, "counts", VALUES, objective="tweedie"),
    boosted(LGBMRegressor, ONE, VALUES, objective="quantile"),
    boosted(LGBMRegressor, ONE, VALUES, objective="huber"),
    boosted(LGBMRegressor, ONE, VALUES, objective="mae"),
    boosted(LGBMRegressor, ONE, VALUES, boosting_type="dart"),
    boosted(LGBMRegressor, ONE, VALUES, n_estimators=100, **RANDOM_FOREST),
    boosted(LGBMRegressor, ONE, VALUES, linear_tree=True, limit="leaves out the linear models of leaves"),
    boosted(LGBMRegressor, ONE, VALUES, options={"split": 5}),
    boosted(LGBMRegressor, "digits", VALUES, zero_as_missing=True, limit="takes zeros for numbers"),
    boosted(LGBMClassifier, "grades", CLASSES, numbers=np.int64),
    boosted(LGBMRanker, "grades", VALUES, fit=GROUPS),
)

XGBOOST = (
    boosted(XGBClassifier, TWO, CLASSES, quick=True),
    boosted(XGBClassifier, THREE, CLASSES, quick=True),
    boosted(XGBClassifier, TEN, CLASSES),
    boosted(XGBClassifier, "grades", CLASSES, numbers=np.int64),
    boosted(XGBClassifier, "holes", CLASSES),
    boosted(XGBClassifier, THREE, CLASSES, objective="multi:softmax", limit="gives scores before softmax"),
    boosted(XGBClassifier, TWO, CLASSES, objective="binary:hinge"),
    boosted(XGBClassifier, TWO, CLASSES, base_score=0.3),
    boosted(XGBRFClassifier, TWO, CLASSES),
    boosted(XGBClassifier, "grades", CLASSES, enable_categorical=True, feature_types=CATEGORIES),
    boosted(
        XGBClassifier,
        "grades",
        CLASSES,
        enable_categorical=True,
        feature_types=CATEGORIES,
        max_cat_to_onehot=1,
    ),
    boosted(XGBClassifier, "sparse digits with gaps", CLASSES),
    boosted(XGBRegressor, ONE, VALUES, quick=True),
    boosted(XGBRegressor, "holes", VALUES),
    boosted(XGBRegressor, "two_goals", VALUES, limit="gives the trees of all goals to the first"),
    boosted(XGBRegressor, "counts", VALUES, objective="count:poisson"),
    boosted(XGBRegressor, "counts", VALUES, objective="reg:gamma"),
    boosted(XGBRegressor, "counts", VALUES, objective="reg:tweedie"),
    boosted(XGBRegressor, ONE, VALUES, objective="reg:absoluteerror"),
    boosted(XGBRegressor, ONE, VALUES, objective="reg:quantileerror", quantile_alpha=0.7),
    boosted(XGBRFRegressor, ONE, VALUES),
)

ROWS = (*LIGHTGBM, *XGBOOST)
