"""Real ONNX models by name or address, and realistic feeds for them.

The models are never stored in the repository: they are taken out of packages of the Python and Node
registries, or from hubs, addresses and registries of artefacts, and kept in the user's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import Model, model, models, zoo_directory
from sardonyx.zoo.feeds import feeds, sizes
from sardonyx.zoo.fetch import fetch, fetch_one
from sardonyx.zoo.pull import pull

if TYPE_CHECKING:
    from sardonyx import InferenceSession
    from sardonyx.zoo.tasks import Pipeline

__all__ = [
    "FetchError",
    "Model",
    "feeds",
    "fetch",
    "fetch_one",
    "load",
    "model",
    "models",
    "pipeline",
    "pull",
    "sizes",
    "zoo_directory",
]


def load(reference: str, **options: Any) -> InferenceSession:
    """A session of a model by name, `hf://`, `https://` or `oci://`, which is brought if need be.

    The options are those of InferenceSession. Raises what `pull` raises.
    """
    from sardonyx import InferenceSession

    return InferenceSession(str(pull(reference)), **options)


def pipeline(task: str, model: str | None = None) -> Pipeline:
    """A callable for a task, with pre- and post-processing; see `sardonyx.zoo.tasks.pipeline`."""
    from sardonyx.zoo import tasks

    return tasks.pipeline(task, model)
