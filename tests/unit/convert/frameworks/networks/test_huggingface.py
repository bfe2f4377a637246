"""Which inputs, axes and parts each family of Transformers' models gets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import huggingface
from sardonyx.convert.frameworks.networks.huggingface import PAST, TOTAL, interface_of
from tests.unit.convert.frameworks import standins
from tests.unit.convert.frameworks.standins import Module, Tensor, install

BOTH = {0: "batch", 1: "length"}
FIRST = {"batch": 2, "length": 6, "past": 5}


class Model(Module):
    """A model of transformers: what it takes is the signature of forward."""

    main_input_name = "input_ids"
    generates = False

    def __init__(self, **config: Any) -> None:
        self.config = SimpleNamespace(**{"vocab_size": 9, "type_vocab_size": 1, **config})

    def can_generate(self) -> bool:
        return self.generates

    def get_encoder(self) -> Any:
        return self

    def forward(
        self, input_ids: Any, attention_mask: Any = None, token_type_ids: Any = None, **_: Any
    ) -> Any:
        return {"logits": input_ids + 1, "loss": None}


class ForSequenceClassification(Model):
    """One that has labels."""


class Pictures(Model):
    """Reads pictures."""

    main_input_name = "pixel_values"

    def forward(self, pixel_values: Any, **_: Any) -> Any:
        return {"features": pixel_values}


class Causal(Model):
    """Writes tokens; a layer keeps keys and values [batch, 3, past, 4]."""

    generates = True

    def forward(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        position_ids: Any = None,
        past_key_values: Any = None,
        **_: Any,
    ) -> Any:
        length = input_ids.shape[1]
        past = past_key_values or [(np.zeros((input_ids.shape[0], 3, 0, 4)),) * 2]
        grown = [
            SimpleNamespace(
                **{
                    name: Tensor(
                        np.concatenate(
                            [getattr(kept, "array", kept), np.ones((kept.shape[0], 3, length, 4))], 2
                        )
                    )
                    for name, kept in zip(("keys", "values"), layer, strict=True)
                }
            )
            for layer in past
        ]
        return SimpleNamespace(logits=input_ids + 1, past_key_values=SimpleNamespace(layers=grown))


def of_two(main: str = "input_ids", **config: Any) -> Model:
    model = Model(is_encoder_decoder=True, **config)
    model.main_input_name = main
    return model


def inputs_of(interface: huggingface.Interface) -> dict[str, Any]:
    return {tensor.name: (tensor.shape, interface.axes[tensor.name]) for tensor in interface.inputs}


def test_texts() -> None:
    interface = interface_of(Model(), Request())
    assert inputs_of(interface) == {"input_ids": ((None, None), BOTH), "attention_mask": ((None, None), BOTH)}
    assert "token_type_ids" in inputs_of(interface_of(Model(type_vocab_size=2), Request()))
    feeds = interface.drawn(FIRST)
    assert feeds["input_ids"].shape == (2, 6) and feeds["input_ids"].max() < 9
    assert feeds["attention_mask"].tolist() == [[1] * 6] * 2


def test_pictures_and_sounds() -> None:
    interface = interface_of(Pictures(image_size=8, num_channels=1), Request())
    assert inputs_of(interface) == {"pixel_values": ((None, 1, 8, 8), {0: "batch"})}
    assert inputs_of(interface_of(Pictures(vision_config=SimpleNamespace(image_size=[4, 4])), Request())) == {
        "pixel_values": ((None, 3, 4, 4), {0: "batch"})
    }
    wide = interface_of(Pictures(image_size=(4, 6)), Request())
    assert inputs_of(wide) == {"pixel_values": ((None, 3, 4, 6), {0: "batch"})}
    any_size = interface_of(Pictures(), Request())
    free = {0: "batch", 2: "height", 3: "width"}
    assert inputs_of(any_size) == {"pixel_values": ((None, 3, None, None), free)}
    assert any_size.drawn(any_size.sizes[0])["pixel_values"].shape == (2, 3, 192, 224)
    speech = Model(num_mel_bins=80, max_source_positions=10)
    speech.main_input_name = "input_features"
    assert inputs_of(interface_of(speech, Request())) == {"input_features": ((None, 80, 20), {0: "batch"})}
    waves = Model()
    waves.main_input_name = "input_values"
    interface = interface_of(waves, Request())
    assert interface.axes == {"input_values": {0: "batch", 1: "samples"}}
    assert interface.drawn(interface.sizes[0])["input_values"].shape == (2, 24000)


def test_texts_and_pictures_are_as_many_as_they_like() -> None:
    class Both(Model):
        def forward(self, input_ids: Any, pixel_values: Any) -> Any:
            return {}

    interface = interface_of(
        Both(vision_config=SimpleNamespace(image_size=4), text_config=SimpleNamespace(vocab_size=3)),
        Request(),
    )
    assert interface.axes["pixel_values"] == {0: "images"}
    assert interface.inputs[0].limit == 3 and interface.sizes[0]["images"] == 3


def test_an_unknown_input_is_named() -> None:
    model = Model()
    model.main_input_name = "point_cloud"
    with pytest.raises(ConvertError, match="models that read 'point_cloud' are not known here"):
        interface_of(model, Request())


def test_two_parts_are_asked_for_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    standins.torch(monkeypatch)
    with pytest.raises(
        ConvertError, match="two parts; convert both with .*'part': 'encoder'} and .*'decoder'}"
    ):
        interface_of(of_two(), Request())
    decoder, encoder = (Request(options={"part": part}) for part in ("decoder", "encoder"))
    assert "input_ids" in interface_of(of_two(), encoder).axes
    interface = interface_of(of_two(d_model=7), decoder)
    assert inputs_of(interface) == {
        "decoder_input_ids": ((None, None), BOTH),
        "encoder_hidden_states": ((None, None, 7), {0: "batch", 1: "source"}),
        "encoder_attention_mask": ((None, None), {0: "batch", 1: "source"}),
    }
    assert interface.drawn(interface.sizes[0])["encoder_hidden_states"].shape == (2, 8, 7)
    speech = interface_of(of_two("input_features", hidden_size=5, max_source_positions=9), decoder)
    assert inputs_of(speech)["encoder_hidden_states"] == ((None, 9, 5), {0: "batch"})
    assert "encoder_attention_mask" not in speech.axes


def test_a_language_model_takes_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    standins.torch(monkeypatch)
    install(monkeypatch, "transformers", DynamicCache=list)
    interface = interface_of(Causal(), Request())
    assert list(interface.axes) == [
        "input_ids",
        "attention_mask",
        "position_ids",
        "past_key_values.0.key",
        "past_key_values.0.value",
    ]
    assert interface.axes["attention_mask"] == {0: "batch", 1: TOTAL}
    assert inputs_of(interface)["past_key_values.0.key"] == ((None, 3, None, 4), {0: "batch", 2: PAST})
    feeds = interface.drawn(interface.sizes[0])
    assert feeds["position_ids"].tolist() == [[5, 6, 7]] * 2 and feeds["attention_mask"].shape == (2, 8)
    answer = interface.call({name: Tensor(part) for name, part in feeds.items()})
    assert list(answer) == ["logits", "present.0.key", "present.0.value"]
    assert answer["present.0.value"].shape == (2, 3, 8, 4)


def test_it_is_exported_with_its_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = standins.torch(monkeypatch).exports
    model = ForSequenceClassification(id2label={1: "bad", 0: "good"})
    made = huggingface.export(model, Request(), tmp_path / "m.onnx")
    assert not model.trained and asked[0]["input_names"] == ["input_ids", "attention_mask"]
    assert (made.outputs, made.labels, made.drawn, made.axes["input_ids"]) == (
        ("logits",),
        ("good", "bad"),
        True,
        BOTH,
    )
    assert [case.feeds["input_ids"].shape for case in made.cases] == [(2, 6), (1, 4), (3, 1)]
    np.testing.assert_array_equal(made.cases[2].answers[0], made.cases[2].feeds["input_ids"] + 1)
    given = Request({"input_ids": np.ones((1, 3), np.int64)})
    plain = huggingface.export(Model(id2label={0: "x"}), given, tmp_path / "m.onnx")
    assert (plain.labels, plain.drawn, len(plain.cases)) == ((), False, 1)


def test_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    def config(source: str, **_: Any) -> Any:
        if source == "none":
            raise OSError("no config.json")
        return SimpleNamespace(architectures=None if source == "nameless" else [source])

    def weights(source: str, **options: Any) -> str:
        if source == "Broken":
            raise OSError("bad header\nmore")
        assert options["dtype"] == "float32" and options["local_files_only"]
        return f"model of {source}"

    kind = SimpleNamespace(from_pretrained=weights)
    install(
        monkeypatch,
        "transformers",
        __version__="5.0",
        AutoConfig=SimpleNamespace(from_pretrained=config),
        AutoModel=kind,
        Known=kind,
        Broken=kind,
    )
    assert [huggingface.load(name, Request()) for name in ("Known", "nameless")] == [
        "model of Known",
        "model of nameless",
    ]
    for name, told in (
        ("none", "none: its configuration cannot be read: no config.json"),
        ("Unknown", r"is a Unknown, which transformers 5\.0 does not have"),
        ("Broken", "its weights cannot be read: bad header; is the folder whole"),
    ):
        with pytest.raises(ConvertError, match=told):
            huggingface.load(name, Request())


def test_letters_are_read_without_a_vocabulary() -> None:
    model = Model()
    del model.config.vocab_size
    interface = interface_of(model, Request())
    assert interface.inputs[0].limit == 0x110000
    assert interface.drawn(interface.sizes[0])["input_ids"].shape == (2, 96)
    assert interface_of(Model(), Request()).sizes[0]["length"] == 6
