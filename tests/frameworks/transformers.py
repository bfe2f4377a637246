"""What scikit-learn does to numbers and texts before they meet an estimator, and whole pipelines."""

from __future__ import annotations

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, IncrementalPCA, KernelPCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier, RandomTreesEmbedding
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
)
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsTransformer, NeighborhoodComponentsAnalysis
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection
from sklearn.svm import SVC

from tests.frameworks.row import CLASSES, FEATURES, VALUES, Row

SCALED = (
    Row(StandardScaler(), "wine", FEATURES, quick=True),
    Row(StandardScaler(), "wine", FEATURES, numbers=np.float64),
    Row(StandardScaler(), "grades", FEATURES, numbers=np.int64),
    Row(StandardScaler(with_mean=False), "wine", FEATURES),
    Row(StandardScaler(), "wine", FEATURES, {"div": "div"}),
    Row(MinMaxScaler(clip=True), "wine", FEATURES),
    Row(MaxAbsScaler(), "wine", FEATURES),
    Row(RobustScaler(), "wine", FEATURES),
    *(Row(Normalizer(norm), "wine", FEATURES) for norm in ("l1", "l2", "max")),
    Row(Binarizer(threshold=2.0), "wine", FEATURES),
    Row(PowerTransformer(), "scaled wine", FEATURES),
    Row(QuantileTransformer(n_quantiles=50), "wine", FEATURES),
    Row(PolynomialFeatures(3), "iris", FEATURES, quick=True),
    Row(PolynomialFeatures(2, interaction_only=True, include_bias=False), "iris", FEATURES),
    Row(PolynomialFeatures(2), "grades", FEATURES, numbers=np.int64),
    Row(KBinsDiscretizer(4, encode="ordinal", quantile_method="linear"), "wine", FEATURES),
    Row(KBinsDiscretizer(4, encode="onehot-dense", quantile_method="linear"), "wine", FEATURES, quick=True),
    Row(FunctionTransformer(), "wine", FEATURES),
    Row(SimpleImputer(), "holes", FEATURES, quick=True),
    Row(SimpleImputer(strategy="median"), "holes", FEATURES),
    Row(SimpleImputer(strategy="most_frequent"), "holes", FEATURES),
    Row(KNNImputer(n_neighbors=3), "few holes", FEATURES),
)

PROJECTED = (
    Row(PCA(5), "wine", FEATURES, quick=True),
    Row(PCA(5), "wine", FEATURES, numbers=np.float64),
    Row(PCA(5, whiten=True), "wine", FEATURES),
    Row(IncrementalPCA(5), "wine", FEATURES),
    Row(TruncatedSVD(5, random_state=0), "wine", FEATURES),
    *(
        Row(KernelPCA(2, kernel=kernel), "scaled iris", FEATURES)
        for kernel in ("linear", "poly", "rbf", "sigmoid", "cosine")
    ),
    Row(GaussianRandomProjection(3, random_state=0), "iris", FEATURES),
    Row(NeighborhoodComponentsAnalysis(2, random_state=0), "iris", FEATURES),
    Row(KNeighborsTransformer(n_neighbors=3), "iris", FEATURES),
    Row(RandomTreesEmbedding(n_estimators=5, random_state=0, sparse_output=False), "iris", FEATURES),
)

SELECTED = (
    Row(SelectKBest(k=4), "wine", FEATURES, quick=True),
    Row(SelectPercentile(percentile=30), "wine", FEATURES),
    Row(SelectFdr(), "wine", FEATURES),
    Row(SelectFpr(), "wine", FEATURES),
    Row(SelectFwe(), "wine", FEATURES),
    Row(GenericUnivariateSelect(param=30), "wine", FEATURES),
    Row(SelectFromModel(Ridge()), "wine", FEATURES),
    Row(RFE(Ridge(), n_features_to_select=4), "wine", FEATURES),
    Row(RFECV(Ridge(), cv=2), "wine", FEATURES),
    Row(VarianceThreshold(0.5), "wine", FEATURES),
)

NUMBERED, SPLIT = ("text_numbers",), ("text_numbers", "text_tokens")
WORDS = (
    Row(OneHotEncoder(), "words", FEATURES, host=NUMBERED, quick=True),
    Row(OneHotEncoder(handle_unknown="ignore"), "grades", FEATURES, quick=True),
    Row(OneHotEncoder(handle_unknown="ignore"), "grades", FEATURES, numbers=np.int64),
    Row(OneHotEncoder(drop="first"), "words", FEATURES, host=NUMBERED),
    Row(OrdinalEncoder(), "words", FEATURES, host=NUMBERED, quick=True),
    Row(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), "grades", FEATURES),
    Row(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        "grades",
        FEATURES,
        numbers=np.int64,
    ),
    Row(TargetEncoder(random_state=0), "rated words", FEATURES, host=NUMBERED),
    Row(FeatureHasher(16, input_type="string"), "words", FEATURES, host=("text_hash",)),
    Row(TfidfTransformer(), "digits", FEATURES),
    Row(CountVectorizer(lowercase=False), "sentences", FEATURES, host=SPLIT),
    Row(CountVectorizer(lowercase=False, binary=True), "sentences", FEATURES, host=SPLIT),
    Row(
        CountVectorizer(lowercase=False, ngram_range=(1, 2), token_pattern="[a-zA-Z0-9_]+"),
        "sentences",
        FEATURES,
        host=SPLIT,
    ),
    Row(
        CountVectorizer(lowercase=False, ngram_range=(1, 2)),
        "sentences",
        FEATURES,
        host=SPLIT,
        limit="pairs words with the words of one letter between them",
    ),
    Row(TfidfVectorizer(), "sentences", FEATURES, host=("reshape", "text_case", *SPLIT)),
    Row(TfidfVectorizer(lowercase=False, norm="l1"), "sentences", FEATURES, host=SPLIT, quick=True),
    Row(TfidfVectorizer(lowercase=False, analyzer="char"), "sentences", FEATURES, host=SPLIT),
    Row(
        TfidfVectorizer(lowercase=False, sublinear_tf=True),
        "sentences",
        FEATURES,
        host=SPLIT,
        limit="adds the 1 before the logarithm of a count, not after it",
    ),
)


def prepared() -> ColumnTransformer:
    """Numbers scaled and words as one-hot columns."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("numbers", numbers, list(range(10))), ("words", words, [10, 11, 12])])


READER = TfidfVectorizer(lowercase=False)
FEW = TruncatedSVD(5, random_state=0)
TABULAR = make_pipeline(prepared(), LogisticRegression())
PIPELINES = (
    Row(make_pipeline(StandardScaler(), LogisticRegression()), "wine", CLASSES, quick=True),
    Row(make_pipeline(StandardScaler(), PCA(4), SVC(probability=True, random_state=0)), "wine", CLASSES),
    Row(TABULAR, "mixed", CLASSES, host=NUMBERED, quick=True),
    Row(TABULAR, "mixed", CLASSES, {"zipmap": True}, host=(*NUMBERED, "zip_map")),
    Row(
        make_pipeline(prepared(), RandomForestClassifier(10, random_state=0)), "mixed", CLASSES, host=NUMBERED
    ),
    Row(FeatureUnion([("a", StandardScaler()), ("b", PCA(2))]), "wine", FEATURES),
    Row(make_pipeline(SimpleImputer(), StandardScaler(), Ridge()), "holes", VALUES),
    Row(make_pipeline(READER, LogisticRegression()), "sentences", CLASSES, host=SPLIT, quick=True),
    Row(make_pipeline(CountVectorizer(lowercase=False), MultinomialNB()), "sentences", CLASSES, host=SPLIT),
    Row(make_pipeline(READER, FEW, LogisticRegression()), "sentences", CLASSES, host=SPLIT),
)

ROWS = (*SCALED, *PROJECTED, *SELECTED, *WORDS, *PIPELINES)
