"""A chain is exported on the inputs that are known of it, with a free batch and an opset of its time."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import chainer
from tests.unit.convert.frameworks.standins import Calls, install

PAIR = np.arange(4, dtype=np.float32).reshape(2, 2)


class Chain:
    """x + y, as a chain answers."""

    def forward(self, x: Any, y: Any) -> Any:
        return SimpleNamespace(array=x + y)

    def __call__(self, *parts: Any) -> Any:
        return self.forward(*parts)


class Named(Chain):
    """Several answers by name."""

    def __call__(self, *parts: Any) -> Any:
        return {"sum": self.forward(*parts), "first": SimpleNamespace(array=parts[0])}


class Hook:
    """chainer.FunctionHook: told of every function that is called."""

    on: ClassVar[list[Any]] = []

    def __enter__(self) -> None:
        self.on.append(self)

    def __exit__(self, *_: object) -> None:
        self.on.remove(self)


class Cumsum:
    """A function that the exporter does not know."""


class Odd(Chain):
    """Calls it."""

    def __call__(self, *parts: Any) -> Any:
        for hook in Hook.on:
            hook.forward_preprocess(Chain(), parts)
            hook.forward_preprocess(Cumsum(), parts)
        return self.forward(*parts), self.forward(*parts)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls(lambda model, feeds, filename, **_: filename)
    install(
        monkeypatch,
        "chainer",
        using_config=lambda *_: contextlib.nullcontext(),
        no_backprop_mode=contextlib.nullcontext,
        Variable=np.asarray,
        FunctionHook=Hook,
    )
    install(monkeypatch, "onnx_chainer", export=calls)
    return calls


def test_files_of_weights_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", w=PAIR)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"w": PAIR}))
    for name in ("m.npz", "m.pkl"):
        with pytest.raises(ConvertError, match=rf"{name} holds weights, not a network; give package"):
            chainer.load(str(tmp_path / name), Request())


def test_a_pickle_of_a_chain_is_opened(exporter: Calls, tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Chain()))
    model = chainer.load(str(tmp_path / "m.pkl"), Request())
    made = chainer.export(model, Request({"x": PAIR, "y": PAIR}), tmp_path / "m.onnx")
    assert made.cases[0].answers[0].tolist() == (2 * PAIR).tolist()
    (tmp_path / "m.pkl").write_bytes(pickle.dumps((Chain(), PAIR, PAIR)))
    assert not chainer.export(
        chainer.load(str(tmp_path / "m.pkl"), Request()), Request(), tmp_path / "m.onnx"
    ).drawn


def test_what_is_no_chain_is_told(exporter: Calls, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="ndarray is no function or module of Chainer"):
        chainer.export(PAIR, Request(), tmp_path / "m.onnx")


def test_example_inputs_stand_beside_the_chain(exporter: Calls, tmp_path: Path) -> None:
    made = chainer.export((Named(), PAIR, PAIR), Request(opset=17), tmp_path / "m.onnx")
    assert not made.drawn and made.axes == {"x": {0: "batch"}, "y": {0: "batch"}}
    assert exporter[0]["input_shapes"] == [("batch", 2)] * 2 and exporter[0]["opset_version"] == 11
    assert [case.feeds["x"].shape for case in made.cases] == [(2, 2), (1, 2)]
    assert [part.tolist() for part in made.cases[0].answers] == [(2 * PAIR).tolist(), PAIR.tolist()]
    assert exporter[0]["output_names"] == ["sum", "first"]


def test_the_free_axes_are_the_wished_ones(exporter: Calls, tmp_path: Path) -> None:
    made = chainer.export((Odd(), PAIR, PAIR), Request(dynamic=("_", "n")), tmp_path / "m.onnx")
    assert exporter[0]["input_shapes"] == [(2, "n")] * 2 and made.axes["x"] == {1: "n"}
    assert exporter[0]["output_names"] == ["output_0", "output_1"] and len(made.cases) == 1


def test_samples_and_stated_shapes(exporter: Calls, tmp_path: Path) -> None:
    made = chainer.export(Chain(), Request({"y": PAIR, "x": 2 * PAIR}, opset=9), tmp_path / "m.onnx")
    assert list(made.cases[0].feeds) == ["x", "y"] and exporter[0]["opset_version"] == 9
    drawn = chainer.export(Chain(), Request(options={"inputs": ["2,3", "2,3"]}), tmp_path / "m.onnx")
    assert drawn.drawn and [case.feeds["y"].shape for case in drawn.cases] == [(2, 3), (1, 3), (3, 3)]
    with pytest.raises(ConvertError, match=r"give sample=... or options={'inputs': \['x="):
        chainer.export(Chain(), Request(), tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("model", "asked"),
    [((Chain(), PAIR), Request()), (Chain(), Request({"x": PAIR})), (Chain(), Request({"": PAIR}))],
)
def test_too_few_inputs_are_named(model: Any, asked: Request, exporter: Calls, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"no example of y: the model takes 2 inputs \(x, y\)"):
        chainer.export(model, asked, tmp_path / "m.onnx")
    assert not exporter


def test_what_the_exporter_says_is_one_line(exporter: Calls, tmp_path: Path) -> None:
    exporter.errors.append(KeyError("no\n  such   node"))
    with pytest.raises(ConvertError, match=r"Chainer cannot export it \(KeyError: 'no"):
        chainer.export((Chain(), PAIR, PAIR), Request(), tmp_path / "m.onnx")


def test_a_function_without_onnx_form_is_named_with_its_line(exporter: Calls, tmp_path: Path) -> None:
    for model, place in ((Odd(), r", in __call__ \(.*test_chainer\.py:\d+: hook.*\)"), (Chain(), "")):
        exporter.errors.append(ValueError("Cumsum is not supported"))
        with pytest.raises(ConvertError, match=f"Chainer's function Cumsum has no ONNX form{place}; replace"):
            chainer.export((model, PAIR, PAIR), Request(), tmp_path / "m.onnx")
