"""SparseTensor: a tensor by its nonzero elements, as in onnxruntime's API. It is fed as a dense array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sardonyx.base import dtype as dtypes
from sardonyx.base.dataclass import dataclass
from sardonyx.ort.enums import NamedValue, members

Array = npt.NDArray[Any]


class OrtSparseFormat(NamedValue):
    """The layouts of sparse tensors."""

    __slots__ = ()
    ORT_SPARSE_UNDEFINED: ClassVar[OrtSparseFormat]
    ORT_SPARSE_COO: ClassVar[OrtSparseFormat]
    ORT_SPARSE_CSRC: ClassVar[OrtSparseFormat]
    ORT_SPARSE_BLOCK_SPARSE: ClassVar[OrtSparseFormat]


members(
    OrtSparseFormat,
    ORT_SPARSE_UNDEFINED=0,
    ORT_SPARSE_COO=1,
    ORT_SPARSE_CSRC=2,
    ORT_SPARSE_BLOCK_SPARSE=4,
)


def _fixed(array: Array) -> Array:
    """The array as one that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class CooView:
    """Places of the elements: int64[n] counts in row-major order, or int64[n, rank] coordinates."""

    _indices: Array

    def indices(self) -> Array:
        """The places, as they were given, read-only."""
        return _fixed(self._indices)


@dataclass(frozen=True)
class CsrView:
    """Columns of the elements, int64[n], and where each row begins among them, int64[rows + 1]."""

    _inner: Array
    _outer: Array

    def inner(self) -> Array:
        """The columns, read-only."""
        return _fixed(self._inner)

    def outer(self) -> Array:
        """The beginnings of the rows, and the end of the last, read-only."""
        return _fixed(self._outer)


class SparseTensor:
    """A tensor that holds its nonzero elements; made by one of the two class methods."""

    def __init__(self, dense_shape: Sequence[int], values: Array, view: CooView | CsrView) -> None:
        self._shape = tuple(int(n) for n in dense_shape)
        self._values = np.ascontiguousarray(values)
        self._values = self._values.astype(object) if self._values.dtype.kind in "UST" else self._values
        self._view = view
        self._flat = self._places()
        if len(self._flat) != len(self._values):
            raise RuntimeError(f"{len(self._flat)} places were given for {len(self._values)} values.")

    @classmethod
    def sparse_coo_from_numpy(
        cls, dense_shape: Sequence[int], values: Array, coo_indices: Array, ort_device: object = None
    ) -> SparseTensor:
        """A tensor by places of its elements, counted in row-major order or as coordinates.

        Raises RuntimeError if the places do not fit the values or the shape.
        """
        return cls(dense_shape, values, CooView(np.ascontiguousarray(coo_indices, np.int64)))

    @classmethod
    def sparse_csr_from_numpy(
        cls,
        dense_shape: Sequence[int],
        values: Array,
        inner_indices: Array,
        outer_indices: Array,
        ort_device: object = None,
    ) -> SparseTensor:
        """A matrix by the columns of its elements and the beginnings of its rows.

        Raises RuntimeError if the places do not fit the values or the shape.
        """
        inner, outer = (np.ascontiguousarray(a, np.int64) for a in (inner_indices, outer_indices))
        return cls(dense_shape, values, CsrView(inner, outer))

    @classmethod
    def from_dense(cls, dense: Array) -> SparseTensor:
        """The elements of an array that are not zero, by their places in row-major order."""
        flat = dense.reshape(-1)
        (at,) = np.nonzero(flat)
        return cls(dense.shape, flat[at], CooView(at))

    def _places(self) -> Array:
        """The elements' places in row-major order."""
        if isinstance(self._view, CooView):
            at = self._view.indices()
            count = at.reshape(-1, 1) if at.ndim == 1 else at
            sizes = (math.prod(self._shape),) if at.ndim == 1 else self._shape
        else:
            inner, outer = self._view.inner(), self._view.outer()
            rows = np.diff(outer)
            whole = len(self._shape) == 2 and len(outer) == self._shape[0] + 1 and not outer[:1].any()
            if not whole or (rows < 0).any() or outer[-1] != len(inner):
                raise RuntimeError(
                    f"The row beginnings {outer.tolist()} do not fit shape {list(self._shape)}."
                )
            count, sizes = np.stack([np.repeat(np.arange(len(rows)), rows), inner], 1), self._shape
        if count.ndim != 2 or count.shape[1] != len(sizes):
            raise RuntimeError(f"Places of shape {list(count.shape)} do not fit shape {list(self._shape)}.")
        if ((count < 0) | (count >= np.array(sizes))).any():
            raise RuntimeError(f"A place lies outside of shape {list(self._shape)}.")
        return np.ravel_multi_index(tuple(count.T), sizes) if len(count) else np.empty(0, np.int64)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("a sparse tensor becomes dense by a copy")
        kind = np.dtype(dtype or self._values.dtype)
        dense = np.full(self._shape, "" if kind.kind == "O" else 0, kind)
        dense.reshape(-1)[self._flat] = self._values
        return dense

    def values(self) -> Array:
        """The elements, read-only."""
        return _fixed(self._values)

    def dense_shape(self) -> list[int]:
        """The sizes of the dense tensor."""
        return list(self._shape)

    def format(self) -> OrtSparseFormat:
        """How places are written."""
        coo = isinstance(self._view, CooView)
        return OrtSparseFormat.ORT_SPARSE_COO if coo else OrtSparseFormat.ORT_SPARSE_CSRC

    def as_coo_view(self) -> CooView:
        """The places by count or coordinates. Raises RuntimeError if they were not given so."""
        if not isinstance(self._view, CooView):
            raise RuntimeError("This sparse tensor does not contain COO format.")
        return self._view

    def as_csrc_view(self) -> CsrView:
        """The places by rows. Raises RuntimeError if they were not given so."""
        if not isinstance(self._view, CsrView):
            raise RuntimeError("This sparse tensor does not contain CSR(C) format.")
        return self._view

    def as_blocksparse_view(self) -> CooView:
        """Refuse: tensors of blocks cannot be made. Raises RuntimeError."""
        raise RuntimeError("This sparse tensor does not contain BlockSparse format.")

    def data_type(self) -> str:
        """The ONNX type, e.g. `sparse_tensor(float)`."""
        return f"sparse_tensor({dtypes.by_numpy(self._values.dtype).onnx_name})"

    def device_name(self) -> str:
        """Always cpu."""
        return "cpu"

    def to_cuda(self, ort_device: object) -> SparseTensor:
        """Refuse: there is only the CPU. Raises RuntimeError."""
        raise RuntimeError("Can't allocate memory on the CUDA device: this package runs on the CPU only.")
