"""Fitted models for tables: CatBoost, and files of scikit-learn, LightGBM and XGBoost."""

from __future__ import annotations

import sys
from pathlib import Path

import catboost
import joblib
import lightgbm
import xgboost
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier

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
    xgboost.XGBClassifier(n_estimators=20).fit(x, y).save_model(folder / "classes.ubj")
