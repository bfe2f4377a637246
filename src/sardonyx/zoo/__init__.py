"""Real ONNX models for tests, benchmarks and the demo, and realistic feeds for them.

The models are never stored in the repository: `fetch` takes them out of packages of the Python and Node
registries and keeps them in the user's cache. Knows nothing of the engine.
"""

from __future__ import annotations

from sardonyx.zoo.catalog import Model, model, models, zoo_directory
from sardonyx.zoo.feeds import feeds, sizes
from sardonyx.zoo.fetch import FetchError, fetch, fetch_one

__all__ = ["FetchError", "Model", "feeds", "fetch", "fetch_one", "model", "models", "sizes", "zoo_directory"]
