"""Small decoders with random weights, in the forms that searches know, and models of a search over them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from sardonyx.frontend import specialise
from sardonyx.ir.run import run

Array = np.ndarray[Any, Any]
WORDS, WIDTH, HEADS = 13, 6, 2
SIZE = WIDTH // HEADS
EOS, PAD, BEGIN = 1, 0, 2
IMPORTS = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>'


def decoder(name: str = "decoder") -> str:
    """Like GPT-2, one layer."""
    return f"""{name} = g_{name} (int32[R, S] input_ids, int32[R, S] position_ids, int32[R, T] attention_mask,
        float[2, R, {HEADS}, P, {SIZE}] past_0)
        => (float[R, S, {WORDS}] logits, float[2, R, {HEADS}, T, {SIZE}] present_0) {{
            word = Gather(table, input_ids)  place = Gather(places, position_ids)  x = Add(word, place)
            y, present_0 = com.microsoft.Attention<num_heads = {HEADS}, unidirectional = 1>
                (x, qkv, bias, attention_mask, past_0)
            z = Add(x, y)  logits = MatMul(z, head) }}"""


PAST = f"float[R, {HEADS}, P, {SIZE}]"
PRESENT = f"float[R, {HEADS}, Q, {SIZE}]"
CROSS = f"float[R, {HEADS}, E, {SIZE}]"
NEW = f"""
    shape = Constant<value_ints = [0, 0, {HEADS}, {SIZE}]>()
    word = Gather(table, input_ids)  q = MatMul(word, wq)  k3 = MatMul(word, wk)  v3 = MatMul(word, wv)
    k4 = Reshape(k3, shape)  v4 = Reshape(v3, shape)
    k = Transpose<perm = [0, 2, 1, 3]>(k4)  v = Transpose<perm = [0, 2, 1, 3]>(v4)
"""


def encoded(*, ids: bool, starts: bool) -> str:
    """An encoder of words or of features; with the first tokens it is the decoder's first step too."""
    source = "int32[B, E] encoder_input_ids" if ids else f"float[B, {WIDTH}, E] encoder_input_ids"
    mask = ", int32[B, E] encoder_attention_mask" if ids else ""
    first = ", int32[B, D] decoder_input_ids" if starts else ""
    of_words = "hidden = Gather(table, encoder_input_ids)"
    of_sound = "hidden = Transpose<perm = [0, 2, 1]>(encoder_input_ids)"
    cross = f"float[B, {HEADS}, E, {SIZE}]"
    gives = f"{cross} present_key_cross_0, {cross} present_value_cross_0"
    body = f"""{of_words if ids else of_sound}
        shape = Constant<value_ints = [0, 0, {HEADS}, {SIZE}]>()
        ck3 = MatMul(hidden, wck)  cv3 = MatMul(hidden, wcv)
        ck4 = Reshape(ck3, shape)  cv4 = Reshape(cv3, shape)
        present_key_cross_0 = Transpose<perm = [0, 2, 1, 3]>(ck4)
        present_value_cross_0 = Transpose<perm = [0, 2, 1, 3]>(cv4)"""
    if starts:
        own = f"float[B, {HEADS}, D, {SIZE}]"
        told = f"float[B, D, {WORDS}] logits, float[B, E, {WIDTH}] encoder_hidden_states"
        gives = f"{told}, {own} present_key_self_0, {own} present_value_self_0, {gives}"
        body += (
            NEW.replace("input_ids", "decoder_input_ids")
            .replace("shape = ", "shape2 = ")
            .replace(", shape)", ", shape2)")
        )
        body += f"""
        present_key_self_0 = Identity(k)  present_value_self_0 = Identity(v)
        encoder_hidden_states = Identity(hidden)
        {step("present_key_cross_0", "present_value_cross_0", ids=ids)}"""
    return f"encoder = g_encoder ({source}{mask}{first}) => ({gives}) {{ {body} }}"


def step(cross_key: str, cross_value: str, *, ids: bool) -> str:
    """From queries, keys and values to scores of words."""
    mask = ", , encoder_attention_mask" if ids else ""
    return f"""
        own = com.microsoft.MultiHeadAttention<num_heads = {HEADS}>(q, k, v)
        other = com.microsoft.MultiHeadAttention<num_heads = {HEADS}>(own, {cross_key}, {cross_value}{mask})
        z0 = Add(word, own)  z = Add(z0, other)  logits = MatMul(z, head)"""


def crossed(*, ids: bool, whole: bool = False, shared: bool = False) -> str:
    """The decoder to such an encoder; `whole` sequences are its input, or `shared` buffers its past."""
    width = "S" if whole else "1"
    mask = ", int32[R, E] encoder_attention_mask" if ids else ""
    more = ", int32[1] past_sequence_length, int32[1] beam_width, int32[R2, W, M] cache_indirection"
    takes = f"int32[R, {width}] input_ids{mask}, {PAST} past_key_self_0, {PAST} past_value_self_0"
    takes += f", {CROSS} past_key_cross_0, {CROSS} past_value_cross_0{more if shared else ''}"
    gives = f"float[R, {width}, {WORDS}] logits, {PRESENT} present_key_self_0, {PRESENT} present_value_self_0"
    masked = ", , encoder_attention_mask" if ids else ""
    if shared:
        keep = f"""own, present_key_self_0, present_value_self_0
            = com.microsoft.DecoderMaskedMultiHeadAttention
            <num_heads = {HEADS}, past_present_share_buffer = 1>(q, k3, v3, , , past_key_self_0,
            past_value_self_0, past_sequence_length, beam_width, cache_indirection)"""
    elif whole:
        keep = f"""present_key_self_0 = Identity(k)  present_value_self_0 = Identity(v)
            own = com.microsoft.MultiHeadAttention<num_heads = {HEADS}>(q, k, v)"""
    else:
        keep = f"""present_key_self_0 = Concat<axis = 2>(past_key_self_0, k)
            present_value_self_0 = Concat<axis = 2>(past_value_self_0, v)
            own = com.microsoft.MultiHeadAttention<num_heads = {HEADS}>
                (q, present_key_self_0, present_value_self_0)"""
    return f"""decoder = g_decoder ({takes}) => ({gives}) {{ {NEW} {keep}
        other = com.microsoft.MultiHeadAttention<num_heads = {HEADS}>
            (own, past_key_cross_0, past_value_cross_0{masked})
        z0 = Add(word, own)  z = Add(z0, other)  logits = MatMul(z, head) }}"""


def weights(seed: int) -> list[onnx.TensorProto]:
    rng = np.random.default_rng(seed)

    def real(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(np.float32)

    tensors = {
        "table": real(WORDS, WIDTH),
        "places": real(32, WIDTH),
        "qkv": real(WIDTH, 3 * WIDTH),
        "bias": real(3 * WIDTH),
        "head": real(WIDTH, WORDS),
        **{name: real(WIDTH, WIDTH) for name in ("wq", "wk", "wv", "wck", "wcv")},
    }
    return [numpy_helper.from_array(array, name) for name, array in tensors.items()]


def model(
    op: str,
    feeds: Mapping[str, Array | None],
    graphs: str,
    outputs: str,
    *,
    attributes: str = "",
    seed: int = 0,
    eos: int = EOS,
) -> bytes:
    """A node over inputs of these names; `outputs` are the declarations of its results."""
    kinds = {"i": "int32", "f": "float"}

    def sizes(name: str, array: Array) -> str:
        return (
            str(array.size) if array.ndim == 1 else ",".join(["B", *(f"{name}{n}" for n in array.shape[1:])])
        )

    declared = ", ".join(
        f"{kinds[a.dtype.kind]}[{sizes(name, a)}] {name}" for name, a in feeds.items() if a is not None
    )
    names = ", ".join(name if a is not None else "" for name, a in feeds.items())
    results = ", ".join(part.split()[-1] if part.strip() else "" for part in outputs.split(";"))
    wanted = ", ".join(part.strip() for part in outputs.split(";") if part.strip())
    more = f"{attributes}, " if attributes else ""
    given = f"eos_token_id = {eos}, pad_token_id = {PAD}, {more}{graphs}"
    text = f"{IMPORTS} g ({declared}) => ({wanted}) {{ {results} = com.microsoft.{op}<{given}>({names}) }}"
    proto = onnx.parser.parse_model(text)
    for attribute in proto.graph.node[0].attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            read = {name for node in attribute.g.node for name in node.input}
            attribute.g.initializer.extend(w for w in weights(seed) if w.name in read)
    data: bytes = proto.SerializeToString()
    return data


def numpy_results(data: bytes, feeds: Mapping[str, Array | None]) -> list[Any]:
    """What the graph gives, run by numpy."""
    live = {name: array for name, array in feeds.items() if array is not None}
    loaded, _ = specialise(data, live)
    assert not loaded.fallbacks
    return run(loaded.graph, [live[info.name] for info in loaded.inputs])


def peer_results(data: bytes, feeds: Mapping[str, Array | None]) -> list[Any]:
    """What onnxruntime gives."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options)
    return list(session.run(None, {n: a for n, a in feeds.items() if a is not None}))
