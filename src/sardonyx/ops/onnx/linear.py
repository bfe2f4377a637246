"""Matrix products: MatMul, Gemm, Einsum, Det."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, make
from sardonyx.ops.demands import ranked, spread_over
from sardonyx.ops.table import op


def matrix_product(a: Value, b: Value) -> Value:
    """Numpy's matmul: vectors count as one row or column, leading axes broadcast."""
    if a.rank == 0 or b.rank == 0:
        raise ShapeError("a scalar cannot be multiplied as a matrix")
    left = a.reshape((1, *a.shape)) if a.rank == 1 else a
    right = b.reshape((*b.shape, 1)) if b.rank == 1 else b
    y = left.dot(right)
    rows = () if a.rank == 1 else y.shape[-2:-1]
    columns = () if b.rank == 1 else y.shape[-1:]
    return y.reshape((*y.shape[:-2], *rows, *columns))


@op("MatMul", since=1)
def matmul(a: Value, b: Value) -> Value:
    """Numpy's matmul."""
    return matrix_product(a, b)


def square(x: Value) -> None:
    """Raises ShapeError if the last two axes are not those of square matrices."""
    if x.rank < 2 or dims.equal(x.shape[-1], x.shape[-2]) is False:
        raise ShapeError(f"square matrices are needed, not {list(x.shape)}")


@op("Det", since=11)
def det(x: Value) -> Value:
    """The determinants of the matrices x[..., n, n]."""
    square(x)
    return make("det", (x,), {}, x.dtype, x.shape[:-2])


def _gemm(a: Value, b: Value, alpha: float, trans_a: int, trans_b: int) -> Value:
    y = (a.transpose(1, 0) if trans_a else a).dot(b.transpose(1, 0) if trans_b else b)
    return y if alpha == 1 else y * alpha


@op("Gemm", since=1)
def gemm_legacy(
    a: Value,
    b: Value,
    c: Value,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    broadcast: int = 0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Value:
    """alpha * A @ B + beta * C."""
    return gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)


@op("Gemm", since=7)
def gemm(
    a: Value,
    b: Value,
    c: Value | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Value:
    """alpha * A @ B + beta * C; C broadcasts to the product."""
    ranked(a, "the matrix A", 2)
    ranked(b, "the matrix B", 2)
    y = _gemm(a, b, alpha, transA, transB)
    if c is None or beta == 0:
        return y
    c = spread_over(c, "the bias C", y.shape)
    return y + (c if beta == 1 else c * beta)
