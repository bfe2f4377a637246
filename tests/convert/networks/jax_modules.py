"""Small modules of Flax NNX and Equinox, and a function of JAX."""

from __future__ import annotations

from typing import Any

import equinox
import jax
import jax.numpy as jnp
from flax import nnx


class Pictures(nnx.Module):
    """Convolution, normalisation, linear."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.convolution = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(8, use_running_average=True, rngs=rngs)
        self.linear = nnx.Linear(8, 4, rngs=rngs)

    def __call__(self, image: Any) -> Any:
        hidden = nnx.relu(self.norm(self.convolution(image)))
        return nnx.softmax(self.linear(hidden.mean((1, 2))))


def pictures() -> Any:
    return Pictures(nnx.Rngs(0)), jnp.ones((2, 8, 8, 3)) * jnp.linspace(-1, 1, 3)


def perceptron() -> Any:
    network = equinox.nn.MLP(4, 3, 16, 2, key=jax.random.key(0))
    return lambda x: jax.vmap(network)(x), jax.random.normal(jax.random.key(1), (3, 4))


def formula() -> Any:
    def attend(q: Any, k: Any) -> Any:
        return jax.nn.softmax(jnp.einsum("bqd,bkd->bqk", q, k) / 2.0), jnp.tanh(q).sum(-1)

    keys = jax.random.split(jax.random.key(2))
    return attend, jax.random.normal(keys[0], (2, 3, 4)), jax.random.normal(keys[1], (2, 5, 4))


if __name__ == "__main__":
    pass
