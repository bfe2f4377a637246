"""Fitted models for tables: CatBoost, and files of scikit-learn, LightGBM and XGBoost."""

from __future__ import annotations

import sys
from pathlib import Path

import catboost
import joblib
import lightgbm
import numpy as np
import pandas
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    x, y = load_wine(return_X_y=True)
    rows, goal = load_diabetes(return_X_y=True)
    quiet = {"iterations": 20, "verbose": False, "allow_writing_files": False}
    catboost.CatBoostClassifier(**quiet).fit(x, y).save_model(folder / "classes.cbm")
    catboost.CatBoostClassifier(**quiet).fit(x, (y > 0).astype(int)).save_model(folder / "two.cbm")
    catboost.CatBoostRegressor(**quiet).fit(rows, goal).save_model(folder / "values.cbm")
    joblib.dump(RandomForestClassifier(20, random_state=0).fit(x, y), folder / "forest.joblib")
    lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(x, y).booster_.save_model(folder / "classes.txt")
    lightgbm.LGBMRegressor(n_estimators=20, linear_tree=True, verbose=-1).fit(rows, goal).booster_.save_model(
        folder / "linear.txt"
    )
    xgboost.XGBClassifier(n_estimators=20).fit(x, y).save_model(folder / "classes.ubj")
    coded = np.column_stack([np.arange(len(y)) % 7, x])
    dart = xgboost.XGBClassifier(
        n_estimators=20,
        booster="dart",
        rate_drop=0.3,
        enable_categorical=True,
        max_cat_to_onehot=1,
        feature_types=["c"] + ["q"] * x.shape[1],
    )
    dart.fit(coded, (y + coded[:, 0]) % 3).save_model(folder / "dart.json")
    line = xgboost.XGBRegressor(n_estimators=20, booster="gblinear")
    line.fit(rows, goal).save_model(folder / "linear.json")
    xgboost.XGBRFClassifier(n_estimators=20).fit(x, y).save_model(folder / "forest.ubj")
    vectors = xgboost.XGBRegressor(n_estimators=20, multi_strategy="multi_output_tree", tree_method="hist")
    vectors.fit(rows, np.stack([goal, -goal], 1)).save_model(folder / "vectors.ubj")
    ranks = xgboost.XGBRanker(n_estimators=20)
    ranks.fit(x, y, group=[100, 78]).save_model(folder / "ranks.ubj")
    frame = pandas.DataFrame(
        {"a": x[:, 0], "b": x[:, 6], "kind": np.array(["u", "v", "w"])[coded[:, 0].astype(int) % 3]}
    )
    models = {"lightgbm": lightgbm.LGBMClassifier(verbose=-1), "xgboost": xgboost.XGBClassifier()}
    for name, model in models.items():
        columns = ColumnTransformer([("kind", OneHotEncoder(), ["kind"])], remainder="passthrough")
        joblib.dump(make_pipeline(columns, model).fit(frame, y), folder / f"{name}.joblib")
