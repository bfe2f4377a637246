"""Regressors of scikit-learn, and what scores or groups rows without a goal."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lars,
    Lasso,
    LassoLars,
    LinearRegression,
    MultiTaskElasticNet,
    MultiTaskLasso,
    OrthogonalMatchingPursuit,
    PoissonRegressor,
    QuantileRegressor,
    RANSACRegressor,
    Ridge,
    RidgeCV,
    SGDOneClassSVM,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor, LocalOutlierFactor, RadiusNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVR, LinearSVR, NuSVR, OneClassSVM
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from tests.frameworks.row import CLASSES, MARGINS, VALUES, Row

ONE, TWO = "diabetes", "two_goals"
PAIR = [("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3, random_state=0))]


def deviations(model: Any, rows: Any) -> Any:
    """The second output of a regressor that knows how sure it is."""
    return model.predict(rows, return_std=True)[1]


def process(kernel: Any, noise: float = 1e-2) -> GaussianProcessRegressor:
    """A regressor that keeps its kernel as it is given; the less noise, the more its terms cancel."""
    return GaussianProcessRegressor(kernel, alpha=noise, optimizer=None)


LINEAR = (
    Row(LinearRegression(), ONE, VALUES, quick=True),
    Row(LinearRegression(), ONE, VALUES, numbers=np.float64),
    Row(LinearRegression(), TWO, VALUES),
    Row(Ridge(), ONE, VALUES),
    Row(RidgeCV(), ONE, VALUES),
    Row(Lasso(), ONE, VALUES),
    Row(ElasticNet(), ONE, VALUES),
    Row(Lars(), ONE, VALUES),
    Row(LassoLars(), ONE, VALUES),
    Row(OrthogonalMatchingPursuit(), ONE, VALUES),
    Row(MultiTaskElasticNet(), TWO, VALUES),
    Row(MultiTaskLasso(), TWO, VALUES),
    Row(BayesianRidge(), ONE, VALUES),
    Row(
        BayesianRidge(),
        ONE,
        ("predict", deviations),
        {"return_std": True},
        limit="multiplies the covariance by the features once, not twice",
    ),
    Row(ARDRegression(), ONE, VALUES),
    Row(HuberRegressor(), ONE, VALUES),
    Row(TheilSenRegressor(random_state=0, max_subpopulation=100), ONE, VALUES),
    Row(QuantileRegressor(alpha=0), ONE, VALUES),
    Row(RANSACRegressor(random_state=0), ONE, VALUES, quick=True),
    Row(SGDRegressor(random_state=0), ONE, VALUES),
    Row(PoissonRegressor(), "counts", VALUES),
    Row(GammaRegressor(), "counts", VALUES),
    Row(TweedieRegressor(power=1.5), "counts", VALUES),
    Row(PLSRegression(), TWO, VALUES, quick=True),
    Row(LinearSVR(random_state=0), ONE, VALUES),
)

OTHERS = (
    *(Row(SVR(kernel=kernel), ONE, VALUES) for kernel in ("linear", "poly", "sigmoid")),
    Row(SVR(), ONE, VALUES, quick=True),
    Row(SVR(), ONE, VALUES, numbers=np.float64),
    Row(NuSVR(), ONE, VALUES),
    Row(DecisionTreeRegressor(random_state=0), ONE, VALUES),
    Row(DecisionTreeRegressor(random_state=0), "grades", VALUES, numbers=np.int64),
    Row(DecisionTreeRegressor(random_state=0), TWO, VALUES),
    Row(ExtraTreeRegressor(random_state=0), ONE, VALUES),
    Row(RandomForestRegressor(20, random_state=0), ONE, VALUES, quick=True),
    Row(RandomForestRegressor(20, random_state=0), TWO, VALUES),
    Row(ExtraTreesRegressor(20, random_state=0), ONE, VALUES),
    Row(GradientBoostingRegressor(n_estimators=20, random_state=0), ONE, VALUES),
    Row(GradientBoostingRegressor(loss="huber", n_estimators=20, random_state=0), ONE, VALUES),
    Row(HistGradientBoostingRegressor(max_iter=20), ONE, VALUES, quick=True),
    Row(HistGradientBoostingRegressor(max_iter=20), "holes", VALUES),
    Row(
        HistGradientBoostingRegressor(loss="poisson", max_iter=20),
        "counts",
        VALUES,
        limit="leaves out the exponential",
    ),
    Row(AdaBoostRegressor(n_estimators=10, random_state=0), ONE, VALUES),
    Row(BaggingRegressor(n_estimators=5, random_state=0), ONE, VALUES),
    Row(VotingRegressor(PAIR), ONE, VALUES),
    Row(StackingRegressor(PAIR, cv=2), ONE, VALUES),
    Row(MultiOutputRegressor(Ridge()), TWO, VALUES),
    Row(KNeighborsRegressor(), ONE, VALUES, quick=True),
    Row(
        KNeighborsRegressor(weights="distance"),
        ONE,
        VALUES,
        limit="clips negated distances, so that all neighbours weigh the same",
    ),
    Row(KNeighborsRegressor(metric="manhattan"), TWO, VALUES),
    Row(KNeighborsRegressor(), ONE, VALUES, {"optim": "cdist"}),
    Row(RadiusNeighborsRegressor(0.3), ONE, VALUES),
    Row(MLPRegressor(hidden_layer_sizes=(20,), max_iter=300, random_state=0), ONE, VALUES),
)

KERNELS = (
    RBF(0.2),
    ConstantKernel(2.0) * RBF(0.2) + WhiteKernel(0.1),
    DotProduct(),
    ExpSineSquared(),
    Matern(0.2, nu=1.5),
    RationalQuadratic(0.2),
)
PROCESSES = (
    *(Row(process(kernel), ONE, VALUES, numbers=np.float64) for kernel in KERNELS),
    Row(process(RBF(0.2), noise=1.0), ONE, VALUES),
    Row(process(RBF(0.2)), ONE, ("predict", deviations), {"return_std": True}, numbers=np.float64),
)

OUTLIERS = (
    Row(OneClassSVM(), "iris", MARGINS, quick=True),
    *(Row(OneClassSVM(kernel=kernel), "iris", MARGINS) for kernel in ("linear", "poly", "sigmoid")),
    Row(SGDOneClassSVM(random_state=0), "iris", MARGINS),
    Row(IsolationForest(n_estimators=20, random_state=0), "iris", MARGINS, quick=True),
    Row(
        IsolationForest(n_estimators=20, random_state=0),
        "iris",
        (*MARGINS, "score_samples"),
        {"score_samples": True},
    ),
    Row(LocalOutlierFactor(novelty=True), "iris", MARGINS),
)


CLUSTERS = (
    Row(KMeans(3, random_state=0), "iris", ("predict", "transform"), quick=True),
    Row(KMeans(3, random_state=0), "iris", ("predict", "transform"), numbers=np.float64),
    Row(KMeans(3, random_state=0), "grades", ("predict", "transform"), numbers=np.int64),
    Row(MiniBatchKMeans(3, random_state=0), "iris", ("predict", "transform")),
    Row(KMeans(3, random_state=0), "iris", ("predict", "transform"), {"gemm": False}),
    *(
        Row(GaussianMixture(3, covariance_type=kind, random_state=0), "iris", CLASSES, quick=kind == "full")
        for kind in ("full", "tied", "diag", "spherical")
    ),
    Row(GaussianMixture(3, random_state=0), "iris", (*CLASSES, "score_samples"), {"score_samples": True}),
    Row(BayesianGaussianMixture(n_components=3, random_state=0), "iris", CLASSES),
)

ROWS = (*LINEAR, *OTHERS, *PROCESSES, *OUTLIERS, *CLUSTERS)
