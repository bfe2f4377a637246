"""Linear and support-vector models of ai.onnx.ml, and what all classifiers share: labels, transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, concat, const, make, scalar
from sardonyx.ops.table import op

Array = np.ndarray[Any, Any]
Ints = Sequence[int]
Floats = Sequence[float]
Strings = Sequence[str]
DOMAIN = "ai.onnx.ml"


@dataclass(frozen=True, slots=True)
class Labels:
    """The names of classes, a constant vector of int64 or strings."""

    names: tuple[int | str, ...]
    table: Value

    @staticmethod
    def of(numbers: Ints, texts: Strings) -> Labels:
        """The labels of a node's two attributes; numbers from 0 on if it has neither."""
        if texts:
            return Labels(tuple(texts), const(np.asarray(texts, dtype=object)))
        return Labels(tuple(numbers), const(np.asarray(tuple(numbers) or (0, 1), dtype=np.int64)))

    def best(self, scores: Value) -> Value:
        """The label of the greatest score in each row."""
        shape = (scores.shape[0], 1)
        index = make("argmax", (scores,), {"axis": 1, "last": False}, dt.I64, shape)
        return self.table.gather(index.reshape(shape[:1]), 0)

    def either(self, second: Value) -> Value:
        """The second label where the condition holds, else the first."""
        return self.table.gather(second.cast(dt.I64), 0)


def probit(x: Value) -> Value:
    """The inverse of the normal distribution, by Winitzki's approximation."""
    y = x * 2.0 - 1.0
    log = ((1.0 - y) * (1.0 + y)).log()
    v = log * 0.5 + 2.0 / (3.14159 * 0.147)
    root = ((v * v - log / 0.147).sqrt() - v).sqrt()
    return y.lt(0.0).where(-root, root) * 1.41421356


def softmax(x: Value) -> Value:
    """exp(x - max) / sum, along axis 1."""
    e = (x - x.reduce_max(1)).exp()
    return e / e.sum(1)


def softmax_zero(x: Value) -> Value:
    """Softmax along axis 1 whose zeros only shrink, as ai.onnx.ml has it."""
    top = x.reduce_max(1)
    zero = x.abs().le(1e-7)
    e = zero.where(x * (-top).exp(), (x - top).exp())
    total = e.sum(1)
    return total.eq(0.0).where(scalar(0.5, x.dtype), e / total)


def transformed(scores: Value, transform: str) -> Value:
    """Scores after the `post_transform` of a node."""
    match transform:
        case "NONE" | "":
            return scores
        case "LOGISTIC":
            return scores.sigmoid()
        case "SOFTMAX":
            return softmax(scores)
        case "SOFTMAX_ZERO":
            return softmax_zero(scores)
        case "PROBIT":
            return probit(scores)
    raise UnsupportedOp(f"the post_transform {transform!r} is not supported")


def binary_scores(score: Value, transform: str, *, complement: bool) -> Value:
    """Scores of two classes from the one of the second: its complement to 1, or its opposite.

    Softmax has no say here, as in onnxruntime.
    """
    if transform == "LOGISTIC":
        return concat([-score, score], 1).sigmoid()
    if transform == "PROBIT":
        return probit(concat([1.0 - score, score], 1))
    return concat([1.0 - score if complement else -score, score], 1)


def _matrix(x: Value) -> Value:
    rows = x.reshape((1, x.size)) if x.rank == 1 else x
    return rows.cast(dt.F64 if x.dtype is dt.F64 else dt.F32)


def _constant(data: Any, like: Value) -> Value:
    return const(np.ascontiguousarray(np.asarray(data, dtype=like.dtype.numpy)))


@op("LinearRegressor", domain=DOMAIN)
def linear_regressor(
    x: Value,
    *,
    coefficients: Floats = (),
    intercepts: Floats = (),
    post_transform: str = "NONE",
    targets: int = 1,
) -> Value:
    """x @ coefficients + intercepts; one intercept counts for all targets."""
    rows = _matrix(x)
    y = rows.dot(_constant(_row_each(coefficients, targets, rows, "targets").T, rows))
    if intercepts:
        if len(intercepts) not in (1, targets):
            raise ShapeError(f"{len(intercepts)} intercepts do not fit {targets} targets")
        y = y + _constant(intercepts, rows).reshape((1, len(intercepts)))
    return transformed(y, post_transform).cast(dt.F32)


@op("LinearClassifier", domain=DOMAIN)
def linear_classifier(
    x: Value,
    *,
    coefficients: Floats,
    classlabels_ints: Ints = (),
    classlabels_strings: Strings = (),
    intercepts: Floats = (),
    multi_class: int = 0,
    post_transform: str = "NONE",
) -> tuple[Value, Value]:
    """The label of the greatest of x @ coefficients + intercepts, and these scores."""
    rows = _matrix(x)
    labels = Labels.of(classlabels_ints, classlabels_strings)
    names = max(len(labels.names), 1)
    classes = len(intercepts) or names
    if classes != names and (classes, names) not in ((1, 2), (2, 1)):
        raise ShapeError(f"{classes} intercepts do not fit {names} class labels")
    if len(coefficients) % classes:
        raise ShapeError(f"{len(coefficients)} coefficients do not fit {classes} classes")
    scores = rows.dot(_constant(_row_each(coefficients, classes, rows, "classes").T, rows))
    if intercepts:
        scores = scores + _constant(intercepts, rows).reshape((1, classes))
    if classes > 1:
        return labels.best(scores), transformed(scores, post_transform).cast(dt.F32)
    second = scalar(0, rows.dtype).lt(scores).reshape((rows.shape[0],))
    if len(labels.names) == 2:
        return labels.either(second), binary_scores(scores, post_transform, complement=True).cast(dt.F32)
    return second.cast(dt.I64), transformed(scores, post_transform).cast(dt.F32)


def _row_each(coefficients: Floats, count: int, rows: Value, what: str) -> Array:
    """A row of coefficients for each class or target; more of them than there are features have no use."""
    width = rows.shape[1]
    if not isinstance(width, int):
        width = len(coefficients) // count
    if len(coefficients) < count * width:
        raise ShapeError(
            f"{count} {what} of {width} features need more than {len(coefficients)} coefficients"
        )
    return np.reshape(coefficients[: count * width], (count, width))


def kernel_matrix(x: Value, vectors: Array, kind: str, params: Floats) -> Value:
    """The kernel of every row of x [N, F] and every support vector [V, F]: [N, V]."""
    gamma, coef0, degree = (*params, 0.0, 0.0, 0.0)[:3]
    if kind == "RBF":
        n, width = x.shape
        difference = x.reshape((n, 1, width)) - _constant(vectors, x).reshape((1, *vectors.shape))
        distance = (difference * difference).sum(2).reshape((n, vectors.shape[0]))
        return (distance * -gamma).exp()
    product = x.dot(_constant(vectors.T, x))
    match kind:
        case "LINEAR":
            return product
        case "POLY":
            return (product * gamma + coef0).pow(degree)
        case "SIGMOID":
            return (product * gamma + coef0).tanh()
    raise UnsupportedOp(f"the kernel {kind!r} is not supported")


def decisions(x: Value, vectors: Array, kind: str, params: Floats, weights: Array, offsets: Floats) -> Value:
    """The kernels of every row and every support vector times weights [V, D], plus offsets [D]; f64 [N, D].

    Large terms cancel in these sums, so they are in double precision, and the weights of a linear kernel go
    to the features.
    """
    wide = x.cast(dt.F64)
    if kind == "LINEAR":
        y = wide.dot(_constant(vectors.astype(np.float64).T @ weights, wide))
    else:
        y = kernel_matrix(x, vectors, kind, params).cast(dt.F64).dot(_constant(weights, wide))
    return y + _constant(offsets, wide).reshape((1, len(offsets)))


@op("SVMRegressor", domain=DOMAIN)
def svm_regressor(
    x: Value,
    *,
    coefficients: Floats = (),
    kernel_params: Floats = (),
    kernel_type: str = "LINEAR",
    n_supports: int = 0,
    one_class: int = 0,
    post_transform: str = "NONE",
    rho: Floats = (),
    support_vectors: Floats = (),
) -> Value:
    """The kernels of x and the support vectors times coefficients, plus rho; its sign if `one_class`."""
    rows, weights = _matrix(x), np.reshape(np.asarray(coefficients, np.float64), (-1, 1))
    if n_supports:
        vectors = np.reshape(support_vectors, (n_supports, -1))
        y = decisions(rows, vectors, kernel_type, kernel_params, weights, rho[:1])
    else:
        y = rows.dot(_constant(weights, rows)) + float(rho[0])
    if one_class:
        y = scalar(0, y.dtype).lt(y).where(scalar(1, y.dtype), -1.0)
    return transformed(y, post_transform).cast(dt.F32)


def _pairs(classes: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(classes) for j in range(i + 1, classes)]


def _pair_weights(coefficients: Array, counts: Ints) -> Array:
    """The weight of every support vector in the decision of every pair of classes, [V, pairs].

    `coefficients` [classes - 1, V] are those of a vector against the other classes, in order.
    """
    starts = np.concatenate([[0], np.cumsum(counts)])
    pairs = _pairs(len(counts))
    weights = np.zeros((int(starts[-1]), len(pairs)))
    for p, (i, j) in enumerate(pairs):
        weights[starts[i] : starts[i + 1], p] = coefficients[j - 1, starts[i] : starts[i + 1]]
        weights[starts[j] : starts[j + 1], p] = coefficients[i, starts[j] : starts[j + 1]]
    return weights


def _votes(decided: Value, classes: int) -> Value:
    """How many decisions of pairs each class wins, [N, classes]."""
    pairs = _pairs(classes)
    wins, losses = np.zeros((len(pairs), classes)), np.zeros((len(pairs), classes))
    for p, (i, j) in enumerate(pairs):
        wins[p, i], losses[p, j] = 1, 1
    first = scalar(0, decided.dtype).lt(decided).cast(dt.F32)
    return first.dot(_constant(wins, first)) + (1.0 - first).dot(_constant(losses, first))


@op("SVMClassifier", domain=DOMAIN)
def svm_classifier(
    x: Value,
    *,
    classlabels_ints: Ints = (),
    classlabels_strings: Strings = (),
    coefficients: Floats = (),
    kernel_params: Floats = (),
    kernel_type: str = "LINEAR",
    post_transform: str = "NONE",
    prob_a: Floats = (),
    prob_b: Floats = (),
    rho: Floats = (),
    support_vectors: Floats = (),
    vectors_per_class: Ints = (),
) -> tuple[Value, Value]:
    """The class that wins most decisions between pairs, and the decisions or the probabilities of classes."""
    rows = _matrix(x)
    labels = Labels.of(classlabels_ints, classlabels_strings)
    count = sum(vectors_per_class)
    if not count:
        return _linear_machine(rows, labels, np.asarray(coefficients), rho, post_transform)
    if len(rho) != len(_pairs(len(vectors_per_class))):
        raise ShapeError(f"{len(rho)} offsets rho are given for {len(vectors_per_class)} classes")
    weights = _pair_weights(np.reshape(coefficients, (-1, count)), vectors_per_class)
    vectors = np.reshape(support_vectors, (count, -1))
    decided = decisions(rows, vectors, kernel_type, kernel_params, weights, rho)
    label = labels.best(_votes(decided, len(vectors_per_class)))
    if prob_a:
        slope, offset = (_constant(v, decided).reshape((1, len(v))) for v in (prob_a, prob_b))
        pairwise = (1.0 - (decided * slope + offset).sigmoid()).max(1e-7).min(1.0 - 1e-7)
        shape = (rows.shape[0], len(vectors_per_class))
        coupled = make("pairwise_coupling", (pairwise,), {}, pairwise.dtype, shape)
        return label, transformed(coupled, post_transform).cast(dt.F32)
    if len(rho) == 1:
        complement = post_transform.startswith("SOFTMAX")
        return label, binary_scores(decided, post_transform, complement=complement).cast(dt.F32)
    return label, transformed(decided, post_transform).cast(dt.F32)


def _linear_machine(
    rows: Value, labels: Labels, coefficients: Array, rho: Floats, transform: str
) -> tuple[Value, Value]:
    classes = max(len(labels.names), 1)
    scores = rows.dot(_constant(coefficients.reshape((classes, -1)).T, rows)) + float(rho[0])
    return labels.best(scores), transformed(scores, transform).cast(dt.F32)
