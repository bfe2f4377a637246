"""Configurations are read from text and JSON alike, and what is not part of one is named."""

from __future__ import annotations

import pytest

from sardonyx.protocol.config import as_json, as_message, checked_config, read_config
from sardonyx.protocol.errors import ServeError

TEXT = 'name: "m" max_batch_size: 8 input [{name: "x" data_type: TYPE_FP32 dims: [-1]}] dynamic_batching {}'


def test_text_and_json_say_the_same() -> None:
    config = read_config(TEXT, "m")
    assert config["max_batch_size"] == 8
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": ["-1"]}]
    assert config["dynamic_batching"] == {}, "what is there and empty is there"
    assert checked_config(config, "m") == config
    assert as_json(as_message(config, "m")) == config


def test_keys_of_our_own_stay_beside_the_protocols() -> None:
    config = checked_config({"name": "m", "pad": {"size": "n"}}, "m")
    assert config == {"name": "m", "pad": {"size": "n"}}
    assert as_message(config, "m").name == "m"


def test_mistakes_are_named() -> None:
    with pytest.raises(ServeError, match=r"config.pbtxt: 2:1"):
        read_config('name: "m"\nnonsense: 1', "config.pbtxt")
    with pytest.raises(ServeError, match="configuration of 'm'"):
        checked_config({"max_batch_size": "many"}, "m")
