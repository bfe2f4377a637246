"""Features of pictures, computed by the engine and kept for the next training of the same files.

Decides how files become rows; knows no labels.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import sardonyx
from sardonyx.base.knobs import cache_folder
from sardonyx.vision.looking import side_by_side
from sardonyx.vision.network import Backbone, features_model
from sardonyx.vision.pictures import changed, naming_all_broken, opened

Array = np.ndarray[Any, Any]
QUIET = 4
VERSION = 1  # of how pictures are opened and changed; another one starts the kept features anew


def quiet_session(model: onnx.ModelProto, threads: int) -> sardonyx.InferenceSession:
    """A session that shows no progress while it is compiled; 0 threads are all cores."""
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = QUIET
    return sardonyx.InferenceSession(model.SerializeToString(deterministic=True), options)


class Features:
    """Makes features of pictures; of each some views, the first as it is, the others changed a little.

    `threads` is how many pictures are looked at side by side; 0 are all cores.
    """

    def __init__(self, backbone: Backbone, fit: str, threads: int = 0) -> None:
        model = features_model(backbone, fit)
        content = model.SerializeToString(deterministic=True)
        self._backbone = backbone
        self._threads = threads
        self._session = quiet_session(model, 1)
        self._key = f"{hashlib.sha256(content).hexdigest()[:16]}-{VERSION}"

    def of_files(
        self, files: Sequence[Path], views: int, progress: Callable[[int, int], None] | None = None
    ) -> Array:
        """float32 [pictures, views, n]; VisionError names those that are not pictures, ten at most."""
        look = partial(self._of_file, views=views)
        with naming_all_broken(files, self._backbone.side):
            return np.stack(list(side_by_side(look, files, self._threads, progress)))

    def of_pixels(self, pixels: Array) -> Array:
        """float32 [n]"""
        row: Array = self._session.run(None, {"picture": np.ascontiguousarray(pixels)})[0][0]
        return row

    def _of_file(self, file: Path, views: int) -> Array:
        content = file.read_bytes()
        kept = _place(self._key, f"{hashlib.sha256(content).hexdigest()}-{views}")
        if kept is not None and kept.is_file():
            with contextlib.suppress(OSError, ValueError, EOFError):
                known: Array = np.load(kept)
                if known.ndim == 2 and len(known) == views:
                    return known
        pixels = opened(file, self._backbone.side)
        random = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:8], "little"))
        shown = [pixels, *(changed(pixels, self._backbone.side, random) for _ in range(views - 1))]
        rows = np.stack([self.of_pixels(view) for view in shown])
        if kept is not None:
            _keep(kept, rows)
        return rows


def _place(key: str, name: str) -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / "vision" / key / f"{name}.npy"


def _keep(path: Path, rows: Array) -> None:
    """What cannot be kept is computed anew next time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".keep-", dir=path.parent) as scratch:
            whole = Path(scratch) / "rows.npy"
            np.save(whole, rows)
            whole.replace(path)
