"""scikit-learn: fitted estimators and pipelines through skl2onnx.

Decides which answers of an estimator the outputs of its ONNX model stand for.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request, shaped
from sardonyx.convert.frameworks.pickles import unpickled
from sardonyx.convert.frameworks.tabular import (
    lightgbm,
    sklearn_affine,
    sklearn_boosting,
    sklearn_calibration,
    sklearn_categories,
    sklearn_centres,
    sklearn_dummies,
    sklearn_encoders,
    sklearn_functions,
    sklearn_imputers,
    sklearn_inner,
    sklearn_kernels,
    sklearn_margins,
    sklearn_neighbors,
    sklearn_pandas,
    sklearn_selectors,
    sklearn_splines,
    sklearn_texts,
    sklearn_tokens,
    sklearn_trees,
    sklearn_voting,
    xgboost,
)
from sardonyx.convert.frameworks.tabular import sklearn_columns as columns
from sardonyx.convert.frameworks.tabular.boosting import texts_of
from sardonyx.convert.frameworks.tabular.tables import Table, told

PARTS = (
    sklearn_affine,
    sklearn_boosting,
    sklearn_calibration,
    sklearn_categories,
    sklearn_centres,
    sklearn_dummies,
    sklearn_encoders,
    sklearn_functions,
    sklearn_imputers,
    sklearn_inner,
    sklearn_kernels,
    sklearn_margins,
    sklearn_neighbors,
    sklearn_selectors,
    sklearn_splines,
    sklearn_texts,
    sklearn_trees,
    sklearn_voting,
)
"""Who changes what skl2onnx makes of some kinds."""
OPSET = {"": 21, "ai.onnx.ml": 3}


def load(source: str, request: Request) -> Any:
    """The estimator of a pickle, joblib or skops file."""
    model = unpickled(source)
    if not hasattr(model, "get_params"):
        raise ConvertError(
            f"{source} holds a {type(model).__name__}, which is not an estimator of scikit-learn"
        )
    return model


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a fitted estimator; ConvertError names the part that cannot be."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise ConvertError(f"{type(model).__name__} was not fitted yet; fit it first") from error
    while hasattr(model, "best_estimator_"):  # of a search, which answers what that does
        model = model.best_estimator_
    lone = columns.alone(model)
    if sklearn_pandas.library(lone):
        own = lightgbm.export if sklearn_pandas.library(lone) == "lightgbm" else xgboost.export
        return own(lone, request, path)
    table = sklearn_pandas.with_categories(columns.table_of(model), model)
    feeds, drawn = table.feeds(request)
    known = {column.name: column.categories for column in table.columns if column.categories}
    asked, names = answers_of(model)
    path.write_bytes(_converted(model, feeds, list(table.taken(feeds)), request))
    return Exported(
        path,
        table.asked(feeds, lambda part: _told(model, asked, table, part), drawn=drawn),
        drawn,
        outputs=names,
        labels=tuple(str(label) for label in _classes(model)),
        columns=() if table.separate else tuple(table.names),
        categories=texts_of(known),
        notes=(*told(known), *_refused(model), *table.rounded(request)),
    )


def answers_of(model: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The methods that the outputs of the model stand for, and the outputs' names."""
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector

    last = columns.last_step(model)
    if hasattr(last, "get_support"):
        return ("transform",), ("features",)
    if is_classifier(last):
        if hasattr(last, "predict_proba"):
            return ("predict", "predict_proba"), ("label", "probabilities")
        if hasattr(last, "decision_function"):
            return ("predict", "decision_function"), ("label", "scores")
        return ("predict",), ("label",)
    if is_outlier_detector(last):
        return ("predict", "decision_function"), ("label", "scores")
    if is_clusterer(last) and hasattr(last, "predict"):
        if hasattr(last, "transform"):
            return ("predict", "transform"), ("label", "distances")
        return ("predict",), ("label",)
    if hasattr(last, "predict"):
        return ("predict",), ("value",)
    if hasattr(last, "transform"):
        return ("transform",), ("features",)
    raise ConvertError(f"{type(last).__name__} neither predicts nor transforms; there is nothing to convert")


def _refused(model: Any) -> tuple[str, ...]:
    """A note if an encoder refuses what it never saw, which an ONNX model cannot."""
    refusing = sklearn_encoders.refusing(sklearn_pandas.parts_of(model))
    said = (
        f"scikit-learn refuses categories that {' and '.join(refusing)} never saw (handle_unknown='error'); "
        "the ONNX model goes on with NaN in their place, or with 0 or -1 in columns of whole numbers"
    )
    return (said,) if refusing else ()


def _classes(model: Any) -> Any:
    classes = getattr(columns.last_step(model), "classes_", ())
    return () if classes is None or isinstance(classes, list) else classes


def _told(model: Any, asked: tuple[str, ...], table: Table, feeds: Feeds) -> list[Array]:
    rows = table.rows(feeds)
    if columns.readers_of(model):
        rows = rows[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return shaped([_stacked(getattr(model, ask)(rows)) for ask in asked])


def _stacked(answer: Any) -> Any:
    """The probabilities of several labels, label by label, if they have as many classes."""
    if not isinstance(answer, list):
        return answer
    counts = [part.shape[-1] for part in answer]
    if len(set(counts)) > 1:
        told = ", ".join(map(str, counts))
        raise ConvertError(
            f"the labels that the model predicts have {told} classes, which one output cannot hold; "
            "convert a model for each label"
        )
    return np.stack(answer)


def _converted(model: Any, feeds: Feeds, taken: list[str], request: Request) -> bytes:
    import skl2onnx

    last = columns.last_step(model)
    options: dict[int, dict[str, Any]] = {id(last): {"zipmap": False} if _has_zipmap(last) else {}}
    opset = {**OPSET, "": request.opset or OPSET[""]}
    for part in sklearn_pandas.parts_of(model):
        if columns.is_text_reader(part):
            sklearn_tokens.refuse(part, opset[""])
        elif hasattr(part, "get_support"):
            options[id(part)] = {}  # some are classifiers to skl2onnx, by what they select for
    with (
        warnings.catch_warnings(),
        _whole_numbers(),
        contextlib.ExitStack() as ours,
    ):
        warnings.simplefilter("ignore")
        for part in PARTS:
            ours.enter_context(part.registered())
        try:
            proto = skl2onnx.convert_sklearn(
                model,
                initial_types=[(name, _type(feed)) for name, feed in feeds.items()],
                options=options,
                target_opset=opset,
            )
        except ConvertError:
            raise
        except Exception as error:
            raise ConvertError(_refusal(model, error)) from error
    _rename_inputs(proto.graph, list(feeds))
    kept = [value for value in proto.graph.input if value.name in taken]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    del proto.graph.output[
        len(answers_of(model)[0]) :
    ]  # scikit-learn answers no more, so nothing proves them
    sklearn_margins.turned(last, proto.graph)
    data: bytes = proto.SerializeToString()
    return data


_SOLVING = (
    *(
        "NMF",
        "MiniBatchNMF",
        "LatentDirichletAllocation",
        "DictionaryLearning",
        "MiniBatchDictionaryLearning",
    ),
    *("SparseCoder", "LocallyLinearEmbedding"),
)


def _rename_inputs(graph: Any, names: list[str]) -> None:
    """Give columns their names back, which skl2onnx changes; others that are called so make way."""
    olds = [value.name for value in graph.input]
    changed = {old: name for old, name in zip(olds, names, strict=True) if old != name}
    for name in {*(output for node in graph.node for output in node.output), *_weights(graph)} & set(names):
        changed[name] = f"{name} of the model"
    for node in graph.node:
        node.input[:] = [changed.get(name, name) for name in node.input]
        node.output[:] = [changed.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = changed.get(value.name, value.name)


def _weights(graph: Any) -> list[str]:
    return [tensor.name for tensor in graph.initializer]


def _has_zipmap(model: Any) -> bool:
    from sklearn.base import is_classifier

    return is_classifier(model) and type(model).__name__ != "LinearSVC"


def _refusal(model: Any, error: Exception) -> str:
    kind = type(error).__name__
    said = str(error).strip().splitlines()[0] if str(error).strip() else kind
    for part in sklearn_pandas.parts_of(model):
        if type(part).__name__ in _SOLVING:
            return (
                f"{type(part).__name__} has no ONNX form, since it solves anew for each row it transforms; "
                "fit a PCA, TruncatedSVD or FactorAnalysis, or move it in front of the model"
            )
    if "MissingShapeCalculator" in kind or "MissingConverter" in kind:
        return (
            f"a part of this {type(model).__name__} has no ONNX form: {said} "
            "Replace it by one that has, or move it in front of the model"
        )
    said = said.partition(" You may raise an issue")[0]
    return (
        f"skl2onnx cannot convert this {type(model).__name__} ({kind}: {said}); replace the part that it "
        "names, or move it in front of the model"
    )


def _type(feed: Array) -> Any:
    from skl2onnx.common import data_types

    names = {"f4": "FloatTensorType", "f8": "DoubleTensorType"}
    kind = getattr(data_types, names.get(feed.dtype.str[1:], "StringTensorType"))
    return kind([None, feed.shape[1]])


@contextlib.contextmanager
def _whole_numbers() -> Iterator[None]:
    """Let skl2onnx 1.20 write where missing values go as numbers: protobuf takes no truth values for them."""
    from skl2onnx.common import tree_ensemble

    original = tree_ensemble.add_node

    def add_node(*args: Any, nodes_missing_value_tracks_true: Any = 0, **facts: Any) -> None:
        original(*args, nodes_missing_value_tracks_true=int(nodes_missing_value_tracks_true), **facts)

    tree_ensemble.add_node = add_node
    try:
        yield
    finally:
        tree_ensemble.add_node = original
