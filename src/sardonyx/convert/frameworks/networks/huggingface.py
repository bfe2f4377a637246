"""Transformers: folders of config.json and weights, and live models, of texts, pictures and sounds.

Decides the inputs and outputs of each family; `torch.py` writes the file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, Case, ConvertError, Exported, Feeds, Request, dice
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.tensors import Tensor
from sardonyx.convert.frameworks.networks.torch import silent, torch_of, write
from sardonyx.convert.words import a_part

Call = Callable[[dict[str, Any]], dict[str, Any]]
BATCH, LENGTH, PAST = "batch", "length", "past"
HEIGHT, WIDTH = "height", "width"
TOTAL = f"{PAST} + {LENGTH}"
SIZES = ({BATCH: 2, LENGTH: 6, PAST: 5}, {BATCH: 1, LENGTH: 4, PAST: 0}, {BATCH: 3, LENGTH: 1, PAST: 7})
CAUSAL_SIZES = ({BATCH: 2, LENGTH: 3, PAST: 5}, *SIZES[1:])
LETTERS, WORD = 0x110000, 16
"""What reads texts without a vocabulary, as Canine, takes the numbers of Unicode, and some for a word."""
PARTS = ("encoder", "decoder")


@dataclass(frozen=True)
class Interface:
    """The inputs of a network with the names of their free axes, and how it is called."""

    inputs: list[Tensor]
    axes: dict[str, dict[int, str]]
    call: Call
    sizes: tuple[dict[str, int], ...] = SIZES
    masks: tuple[str, ...] = field(default=("attention_mask",))

    def drawn(self, sizes: dict[str, int]) -> Feeds:
        """Random inputs of these sizes; masks are ones but for the end of the last row."""
        random = dice()
        known = {**sizes, TOTAL: sizes[PAST] + sizes[LENGTH]}
        feeds = {}
        for tensor in self.inputs:
            free = {axis: known[name] for axis, name in self.axes[tensor.name].items()}
            feeds[tensor.name] = tensor.drawn(free, random)
            if tensor.name in self.masks:
                feeds[tensor.name] = np.ones_like(feeds[tensor.name])
            if tensor.name == "position_ids":
                feeds[tensor.name][:] = np.arange(sizes[PAST], known[TOTAL])
        return feeds


def load(source: str, request: Request) -> Any:
    """The model of a folder, of the class that its configuration names."""
    import transformers

    with silent():
        try:
            config = transformers.AutoConfig.from_pretrained(source, local_files_only=True)
        except Exception as error:
            raise ConvertError(f"{source}: its configuration cannot be read: {error}") from error
        name = next(iter(config.architectures or ()), "")
        kind = getattr(transformers, name, None) if name else transformers.AutoModel
        if kind is None:
            raise ConvertError(
                f"{source} is a {name}, which transformers {transformers.__version__} does not have"
            )
        try:
            return kind.from_pretrained(source, local_files_only=True, dtype="float32")
        except Exception as error:
            said = str(error).strip().splitlines()[0]
            raise ConvertError(
                f"{source}: its weights cannot be read: {said}; is the folder whole?"
            ) from error


def export(model: Any, request: Request, path: Path) -> Exported:
    """Export the model, or the part of it that is asked for."""
    model = model.eval()
    interface = interface_of(model, request)
    if request.sample is not None:
        feeds = [tensors.sampled(request.sample, [tensor.name for tensor in interface.inputs])]
    else:
        feeds = [interface.drawn(sizes) for sizes in interface.sizes]
    network = _network(interface.call)
    axes, notes = write(network, feeds[0], request, path, interface.axes)
    answers = [_answered(network, part) for part in feeds]
    labels = getattr(model.config, "id2label", None) or {}
    is_classifier = "Classification" in type(model).__name__
    return Exported(
        path,
        [Case(part, list(results.values())) for part, results in zip(feeds, answers, strict=True)],
        request.sample is None,
        outputs=tuple(answers[0]),
        labels=tuple(str(label) for _, label in sorted(labels.items())) if is_classifier else (),
        batch=False,
        axes=axes,
        notes=tuple(notes),
    )


def _network(call: Call) -> Any:
    import torch

    class Network(torch.nn.Module):  # type: ignore[misc]
        def forward(self, **inputs: Any) -> dict[str, Any]:
            return call(inputs)

    return Network().eval()


def _answered(network: Any, feeds: Feeds) -> dict[str, Array]:
    import torch

    with torch.no_grad(), silent():
        return {name: part.numpy() for name, part in network(**torch_of(feeds)).items()}


def interface_of(model: Any, request: Request) -> Interface:
    """Which family the model is of."""
    part = request.options.get("part")
    main = model.main_input_name
    if getattr(model.config, "is_encoder_decoder", False):
        if part not in PARTS:
            raise ConvertError(
                f"this model has two parts; convert both with {' and '.join(map(a_part, PARTS))}"
            )
        return _decoder_of_two(model) if part == "decoder" else _encoder(model.get_encoder(), model, main)
    if main == "input_ids" and model.can_generate():
        return _causal(model)
    return _encoder(model, model, main)


def _encoder(network: Any, model: Any, main: str) -> Interface:
    """One pass from texts, pictures or sounds to whatever tensors it answers."""
    config = model.config
    takes = set(inspect.signature(network.forward).parameters)
    inputs: list[Tensor] = []
    axes: dict[str, dict[int, str]] = {}

    def add(
        name: str, shape: tuple[int | None, ...], free: dict[int, str], dtype: str, limit: int = 2
    ) -> None:
        inputs.append(Tensor(name, shape, dtype, limit))
        axes[name] = free

    if main == "input_ids":
        known = getattr(_of_text(config), "vocab_size", LETTERS)
        add(main, (None, None), {0: BATCH, 1: LENGTH}, "int64", known)
        for name in ("attention_mask", "token_type_ids"):
            if name in takes and (name != "token_type_ids" or getattr(config, "type_vocab_size", 0) > 1):
                add(name, (None, None), {0: BATCH, 1: LENGTH}, "int64")
    if main == "pixel_values" or (hasattr(config, "vision_config") and "pixel_values" in takes):
        vision = getattr(config, "vision_config", config)
        side = getattr(vision, "image_size", None)
        sides = (side, side) if side is None or isinstance(side, int) else tuple(side)
        free = {0: "images" if inputs else BATCH}
        if side is None:
            free |= {2: HEIGHT, 3: WIDTH}
        add("pixel_values", (None, getattr(vision, "num_channels", 3), *sides), free, "float32")
    if main == "input_features":
        frames = 2 * getattr(config, "max_source_positions", 1500)
        add(main, (None, config.num_mel_bins, frames), {0: BATCH}, "float32")
    if main == "input_values":
        add(main, (None, None), {0: BATCH, 1: "samples"}, "float32")
    if not inputs:
        raise ConvertError(
            f"models that read {main!r} are not known here; give package.module:function instead"
        )
    longer = WORD if any(tensor.limit == LETTERS for tensor in inputs) else 1
    sizes = tuple(
        {
            **part,
            LENGTH: longer * part[LENGTH],
            "samples": 4000 * part[LENGTH],
            "images": part[BATCH] + 1,
            HEIGHT: 32 * part[LENGTH],
            WIDTH: 64 + 32 * part[PAST],
        }
        for part in SIZES
    )
    return Interface(inputs, axes, lambda given: _tensors(network(**given, return_dict=True)), sizes)


def _of_text(config: Any) -> Any:
    return getattr(config, "text_config", config)


def _tensors(answer: Any) -> dict[str, Any]:
    import torch

    return {name: part for name, part in answer.items() if isinstance(part, torch.Tensor)}


def _causal(model: Any) -> Interface:
    """A step of a language model: new tokens, and keys and values of those before, to logits and all keys."""
    import torch
    from transformers import DynamicCache

    config = _of_text(model.config)
    with torch.no_grad(), silent():
        layers = model(torch.zeros((1, 1), dtype=torch.int64), use_cache=True).past_key_values.layers
    kept = ("key", "value")
    inputs = [Tensor("input_ids", (None, None), "int64", config.vocab_size)]
    inputs.append(Tensor("attention_mask", (None, None), "int64"))
    axes = {"input_ids": {0: BATCH, 1: LENGTH}, "attention_mask": {0: BATCH, 1: TOTAL}}
    if "position_ids" in inspect.signature(model.forward).parameters:
        inputs.append(Tensor("position_ids", (None, None), "int64"))
        axes["position_ids"] = {0: BATCH, 1: LENGTH}
    for at, layer in enumerate(layers):
        for name, part in zip(kept, (layer.keys, layer.values), strict=True):
            inputs.append(Tensor(f"past_key_values.{at}.{name}", (None, part.shape[1], None, part.shape[3])))
            axes[inputs[-1].name] = {0: BATCH, 2: PAST}

    def call(given: dict[str, Any]) -> dict[str, Any]:
        past = [tuple(given[f"past_key_values.{at}.{name}"] for name in kept) for at in range(len(layers))]
        named = {name: part for name, part in given.items() if not name.startswith("past_key_values.")}
        answer = model(**named, past_key_values=DynamicCache(past), use_cache=True)
        results = {"logits": answer.logits}
        for at, layer in enumerate(answer.past_key_values.layers):
            results |= {f"present.{at}.key": layer.keys, f"present.{at}.value": layer.values}
        return results

    return Interface(inputs, axes, call, CAUSAL_SIZES)


def _decoder_of_two(model: Any) -> Interface:
    """Tokens so far and what the encoder answered, to logits; without a cache."""
    config = model.config
    width = getattr(config, "d_model", None) or config.hidden_size
    source = getattr(config, "max_source_positions", None) if model.main_input_name != "input_ids" else None
    inputs = [
        Tensor("decoder_input_ids", (None, None), "int64", config.vocab_size),
        Tensor("encoder_hidden_states", (None, source, width)),
    ]
    axes = {"decoder_input_ids": {0: BATCH, 1: LENGTH}, "encoder_hidden_states": {0: BATCH}}
    if source is None:
        axes["encoder_hidden_states"][1] = "source"
        inputs.append(Tensor("encoder_attention_mask", (None, None), "int64"))
        axes["encoder_attention_mask"] = {0: BATCH, 1: "source"}

    def call(given: dict[str, Any]) -> dict[str, Any]:
        answer = model(
            decoder_input_ids=given["decoder_input_ids"],
            encoder_outputs=(given["encoder_hidden_states"],),
            attention_mask=given.get("encoder_attention_mask"),
            use_cache=False,
            return_dict=True,
        )
        return {"logits": answer.logits}

    sizes = tuple({**part, "source": part[LENGTH] + 2} for part in SIZES)
    return Interface(inputs, axes, call, sizes, masks=("encoder_attention_mask",))
