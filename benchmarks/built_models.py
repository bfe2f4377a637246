"""Models of usual kinds whose weights are drawn: ViT, BERT, a GPT-2 with its cache, ResNet-18, a U-Net.

Decides their sizes and seeds; a file depends on them alone, so every run and machine measures the same one.
They are written as frameworks export them: fused projections, masks made in the graph, norms folded. Some are
written in 8 bits, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from sardonyx.authoring import GraphWriter, Tensors
from sardonyx.compression import quantize
from sardonyx.compression.compression import Kind

Array = npt.NDArray[Any]
Feeds = dict[str, Array]
Write = Callable[[Path], None]

OPSET, IR_VERSION = 20, 9
DEVIATION = 0.02
"""Of weights and of what is added to norms, as transformers are initialised."""
HIDDEN_SCORE = float(np.finfo(np.float32).min)


@dataclass(frozen=True, slots=True)
class Transformer:
    """The sizes of a stack of attention layers; the defaults are those of the base models."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    inner: int = 3072
    words: int = 30522
    positions: int = 512

    @property
    def head(self) -> int:
        """Columns of one head."""
        return self.width // self.heads


BERT = Transformer()
GPT2 = Transformer(words=50257, positions=1024)
VIT = Transformer()


class Network(GraphWriter):
    """A graph whose weights are drawn, with the layers that the models share."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def weight(self, name: str, *shape: int, scale: float = DEVIATION, mean: float = 0.0) -> str:
        """A constant drawn from a normal distribution."""
        drawn = self.rng.standard_normal(shape, np.float32) * np.float32(scale)
        return self.constant(name, drawn + np.float32(mean) if mean else drawn)

    def linear(self, x: str, name: str, rows: int, columns: int) -> str:
        """x [..., rows] times a matrix, and a bias."""
        product = self.node("MatMul", [x, self.weight(f"{name}.weight", rows, columns)], f"{name}.product")
        return self.node("Add", [product, self.weight(f"{name}.bias", columns)], name)

    def normal(self, x: str, name: str, width: int) -> str:
        """LayerNormalization of the last axis."""
        scale, bias = self.weight(f"{name}.scale", width, mean=1.0), self.weight(f"{name}.bias", width)
        return self.node("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=1e-5)

    def heads(self, x: str, name: str, sizes: Transformer) -> str:
        """[batch, length, width] as [batch, heads, length, head]."""
        apart = self.node("Reshape", [x, self.sizes(0, 0, sizes.heads, sizes.head)], f"{name}.apart")
        return self.node("Transpose", [apart], f"{name}.heads", perm=[0, 2, 1, 3])

    def sizes(self, *values: int) -> str:
        """A list of whole numbers: a shape, axes, bounds."""
        return self.unnamed(np.array(values, np.int64))

    def attended(self, q: str, k: str, v: str, name: str, sizes: Transformer, mask: str = "") -> str:
        """Softmax(q k / sqrt(head) + mask) v, all [batch, heads, ...]; the result [batch, length, width]."""
        turned = self.node("Transpose", [k], f"{name}.turned", perm=[0, 1, 3, 2])
        share = self.unnamed(np.float32(sizes.head**-0.5))
        scores = self.node("Mul", [self.node("MatMul", [q, turned]), share], f"{name}.scores")
        if mask:
            scores = self.node("Add", [scores, mask], f"{name}.masked")
        mixed = self.node("MatMul", [self.node("Softmax", [scores], f"{name}.shares", axis=-1), v])
        rows = self.node("Transpose", [mixed], f"{name}.rows", perm=[0, 2, 1, 3])
        return self.node("Reshape", [rows, self.sizes(0, 0, sizes.width)], f"{name}.joined")

    def parts(self, x: str, name: str, sizes: Transformer) -> list[str]:
        """Queries, keys and values of one fused projection, [batch, heads, length, head] each."""
        fused = self.linear(x, f"{name}.qkv", sizes.width, 3 * sizes.width)
        names = [f"{name}.{part}" for part in ("query", "key", "value")]
        split = self.several("Split", [fused], names, axis=-1, num_outputs=3)
        return [self.heads(part, part, sizes) for part in split]

    def feed_forward(self, x: str, name: str, sizes: Transformer, approximate: str = "none") -> str:
        """Two linear layers with a GELU between them."""
        inner = self.linear(x, f"{name}.up", sizes.width, sizes.inner)
        gelu = self.node("Gelu", [inner], f"{name}.gelu", approximate=approximate)
        return self.linear(gelu, f"{name}.down", sizes.inner, sizes.width)

    def conv(self, x: str, name: str, shape: tuple[int, int, int], stride: int = 1) -> str:
        """A square convolution of (inputs, outputs, side), with a bias; odd sides keep the picture's size."""
        inputs, outputs, side = shape
        weight = self.weight(f"{name}.weight", outputs, inputs, side, side, scale=(inputs * side**2) ** -0.5)
        bias = self.weight(f"{name}.bias", outputs)
        pads = [side // 2 if side % 2 else 0] * 4
        return self.node("Conv", [x, weight, bias], name, strides=[stride] * 2, pads=pads)

    def save(self, path: Path, inputs: Tensors, outputs: Tensors) -> None:
        """Write the model file."""
        model = self.model(path.stem, inputs, outputs, {"": OPSET}, IR_VERSION)
        path.write_bytes(model.SerializeToString())


def bert(path: Path, sizes: Transformer = BERT) -> None:
    """Write an encoder: input_ids, attention_mask, token_type_ids [batch, length] to the last layer."""
    net = Network()
    width = sizes.width
    words = net.node("Gather", [net.weight("words", sizes.words, width), "input_ids"])
    kinds = net.node("Gather", [net.weight("kinds", 2, width), "token_type_ids"])
    length = net.node("Shape", ["input_ids"], "length", start=1, end=2)
    every = net.weight("places", sizes.positions, width)
    places = net.node("Slice", [every, net.sizes(0), length, net.sizes(0)])
    embedded = net.node("Add", [net.node("Add", [words, kinds]), places])
    x = net.normal(embedded, "embedding", width)
    kept = net.node("Unsqueeze", ["attention_mask", net.sizes(1, 2)])
    hidden = net.node("Sub", [net.unnamed(np.float32(1)), net.node("Cast", [kept], to=TensorProto.FLOAT)])
    mask = net.node("Mul", [hidden, net.unnamed(np.float32(HIDDEN_SCORE))], "mask")
    for n in range(sizes.layers):
        q, k, v = (
            net.heads(net.linear(x, f"{n}.{part}", width, width), f"{n}.{part}", sizes)
            for part in ("query", "key", "value")
        )
        out = net.linear(net.attended(q, k, v, f"{n}", sizes, mask), f"{n}.out", width, width)
        x = net.normal(net.node("Add", [out, x]), f"{n}.attention", width)
        x = net.normal(net.node("Add", [net.feed_forward(x, f"{n}", sizes), x]), f"{n}.layer", width)
    inputs = dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), (TensorProto.INT64, ["batch", "length"])
    )
    net.save(path, inputs, {x: (TensorProto.FLOAT, ["batch", "length", width])})


def bert_feeds(length: int, sizes: Transformer = BERT) -> Feeds:
    """One sentence without padding."""
    ids = np.random.default_rng(1).integers(0, sizes.words, (1, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def gpt2(path: Path, sizes: Transformer = GPT2) -> None:
    """Write a decoder: input_ids [batch, length], keys and values so far to logits, keys and values now."""
    net = Network()
    width = sizes.width
    length = net.node("Shape", ["input_ids"], "length", start=1, end=2)
    past = net.node("Shape", ["past.0.key"], "past", start=2, end=3)
    total = net.node("Add", [past, length], "total")
    first, last = (net.node("Squeeze", [bound]) for bound in (past, total))
    zero, one = net.unnamed(np.int64(0)), net.unnamed(np.int64(1))
    places, keys = (net.node("Range", [start, last, one]) for start in (first, zero))
    table = net.weight("words", sizes.words, width)
    words = net.node("Gather", [table, "input_ids"])
    x = net.node("Add", [words, net.node("Gather", [net.weight("places", sizes.positions, width), places])])
    seen = net.node("LessOrEqual", [keys, net.node("Unsqueeze", [places, net.sizes(1)])])
    mask = net.node("Where", [seen, *(net.unnamed(np.float32(v)) for v in (0, HIDDEN_SCORE))], "mask")
    cache = (TensorProto.FLOAT, ["batch", sizes.heads, "past", sizes.head])
    grown = (TensorProto.FLOAT, ["batch", sizes.heads, "total", sizes.head])
    inputs: dict[str, Any] = {"input_ids": (TensorProto.INT64, ["batch", "length"])}
    outputs: dict[str, Any] = {"logits": (TensorProto.FLOAT, ["batch", "length", sizes.words])}
    for n in range(sizes.layers):
        q, *fresh = net.parts(net.normal(x, f"{n}.first", width), f"{n}", sizes)
        now = []
        for part, value in zip(("key", "value"), fresh, strict=True):
            inputs[f"past.{n}.{part}"] = cache
            outputs[f"present.{n}.{part}"] = grown
            now.append(net.node("Concat", [f"past.{n}.{part}", value], f"present.{n}.{part}", axis=2))
        k, v = now
        out = net.linear(net.attended(q, k, v, f"{n}", sizes, mask), f"{n}.out", width, width)
        x = net.node("Add", [out, x])
        inner = net.feed_forward(net.normal(x, f"{n}.second", width), f"{n}", sizes, "tanh")
        x = net.node("Add", [inner, x])
    turned = net.node("Transpose", [table], perm=[1, 0])
    net.node("MatMul", [net.normal(x, "last", width), turned], "logits")
    net.save(path, inputs, outputs)


def gpt2_feeds(length: int, past: int, sizes: Transformer = GPT2) -> Feeds:
    """Tokens after `past` others."""
    rng = np.random.default_rng(1)
    feeds: Feeds = {"input_ids": rng.integers(0, sizes.words, (1, length))}
    for n in range(sizes.layers):
        for part in ("key", "value"):
            shape = (1, sizes.heads, past, sizes.head)
            feeds[f"past.{n}.{part}"] = rng.standard_normal(shape, np.float32)
    return feeds


def vit(path: Path, sizes: Transformer = VIT, side: int = 224, patch: int = 16, classes: int = 1000) -> None:
    """Write a picture classifier: pixels [batch, 3, side, side] to logits [batch, classes]."""
    net = Network()
    width = sizes.width
    grid = net.conv("pixels", "patches", (3, width, patch), patch)
    rows = net.node("Transpose", [net.node("Reshape", [grid, net.sizes(0, width, -1)])], perm=[0, 2, 1])
    batch = net.node("Shape", ["pixels"], "batch", start=0, end=1)
    shape = net.node("Concat", [batch, net.sizes(1, width)], axis=0)
    token = net.node("Expand", [net.weight("token", 1, 1, width), shape])
    joined = net.node("Concat", [token, rows], "tokens", axis=1)
    x = net.node("Add", [joined, net.weight("places", 1, (side // patch) ** 2 + 1, width)])
    for n in range(sizes.layers):
        q, k, v = net.parts(net.normal(x, f"{n}.first", width), f"{n}", sizes)
        x = net.node("Add", [net.linear(net.attended(q, k, v, f"{n}", sizes), f"{n}.out", width, width), x])
        x = net.node("Add", [net.feed_forward(net.normal(x, f"{n}.second", width), f"{n}", sizes), x])
    first = net.node("Gather", [net.normal(x, "last", width), net.unnamed(np.int64(0))], axis=1)
    logits = net.linear(first, "logits", width, classes)
    pixels = (TensorProto.FLOAT, ["batch", 3, side, side])
    net.save(path, {"pixels": pixels}, {logits: (TensorProto.FLOAT, ["batch", classes])})


def resnet18(path: Path, width: int = 64, classes: int = 1000) -> None:
    """Write a classifier: pixels [batch, 3, height, width] to logits; norms are folded into convolutions."""
    net = Network()
    stem = net.node("Relu", [net.conv("pixels", "stem", (3, width, 7), 2)])
    x = net.node("MaxPool", [stem], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inputs = width
    for stage, block in np.ndindex(4, 2):
        outputs, name = width << stage, f"{stage}.{block}"
        stride = 2 if stage and not block else 1
        inner = net.node("Relu", [net.conv(x, f"{name}.first", (inputs, outputs, 3), stride)])
        out = net.conv(inner, f"{name}.second", (outputs, outputs, 3))
        kept = net.conv(x, f"{name}.shortcut", (inputs, outputs, 1), stride) if stride > 1 else x
        x = net.node("Relu", [net.node("Add", [out, kept])], name)
        inputs = outputs
    flat = net.node("Flatten", [net.node("GlobalAveragePool", [x])])
    logits = net.linear(flat, "logits", inputs, classes)
    pixels = (TensorProto.FLOAT, ["batch", 3, "height", "width"])
    net.save(path, {"pixels": pixels}, {logits: (TensorProto.FLOAT, ["batch", classes])})


def unet(path: Path, width: int = 32, depth: int = 4) -> None:
    """Write a segmenter after Ronneberger 2015: pixels [batch, 3, height, width] to a mask of that size."""
    net = Network()

    def twice(x: str, name: str, inputs: int, outputs: int) -> str:
        for part, columns in (("first", inputs), ("second", outputs)):
            x = net.node("Relu", [net.conv(x, f"{name}.{part}", (columns, outputs, 3))])
        return x

    x, inputs, skips = "pixels", 3, []
    for level in range(depth):
        x = twice(x, f"down{level}", inputs, width << level)
        skips.append(x)
        inputs = width << level
        x = net.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = twice(x, "bottom", inputs, width << depth)
    for level in reversed(range(depth)):
        outputs = width << level
        weight = net.weight(f"up{level}.weight", 2 * outputs, outputs, 2, 2, scale=(2 * outputs) ** -0.5)
        x = net.node("ConvTranspose", [x, weight, net.weight(f"up{level}.bias", outputs)], strides=[2, 2])
        x = twice(net.node("Concat", [skips[level], x], axis=1), f"up{level}", 2 * outputs, outputs)
    mask = net.node("Sigmoid", [net.conv(x, "last", (width, 1, 1))], "mask")
    pixels, one = ((TensorProto.FLOAT, ["batch", n, "height", "width"]) for n in (3, 1))
    net.save(path, {"pixels": pixels}, {mask: one})


def pixels(side: int) -> Feeds:
    """A picture of noise."""
    return {"pixels": np.random.default_rng(1).standard_normal((1, 3, side, side), np.float32)}


def quantised(write: Write, kind: Kind, samples: Sequence[Feeds] = ()) -> Write:
    """Writes in 8 bits what `write` writes, as `sardonyx quantize` does."""

    def written(path: Path) -> None:
        with TemporaryDirectory() as folder:
            whole = Path(folder) / path.name
            write(whole)
            quantize(whole, path, kind, samples)

    return written


def opened(name: str, folder: Path) -> tuple[Path, Mapping[str, Feeds]]:
    """Write the model of that name into a folder; its file, and feeds by what they are."""
    write, feeds = MODELS[name]
    path = folder / f"{name}.onnx"
    write(path)
    return path, feeds()


MODELS: Mapping[str, tuple[Any, Any]] = {
    "resnet18": (resnet18, lambda: {"": pixels(224)}),
    "unet": (unet, lambda: {"": pixels(256)}),
    "vit_b16": (vit, lambda: {"": pixels(224)}),
    "bert_base": (bert, lambda: {f"{n} tokens": bert_feeds(n) for n in (128, 512)}),
    "resnet18_int8": (
        lambda path: quantised(resnet18, "static", [pixels(224)])(path),
        lambda: {"": pixels(224)},
    ),
    "bert_base_int8": (quantised(bert, "dynamic"), lambda: {"128 tokens": bert_feeds(128)}),
    "gpt2": (
        gpt2,
        lambda: {"64 tokens": gpt2_feeds(64, 0), "1 token after 128": gpt2_feeds(1, 128)},
    ),
}
