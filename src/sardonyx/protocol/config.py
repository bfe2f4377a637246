"""A model's configuration as text (config.pbtxt) and as JSON, the form of the configuration extension.

Decides what a configuration may say; must not know what serving does with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, text_format

from sardonyx.protocol.errors import invalid
from sardonyx.protocol.wire import model_config_pb2 as pb

Config = dict[str, Any]
OWN_KEYS = ("pad", "pipeline")
"""What our configurations may say beyond the protocol's."""


def read_config(text: str, where: str) -> Config:
    """The configuration of a config.pbtxt; INVALID_ARGUMENT names the line that is wrong."""
    try:
        return as_json(text_format.Parse(text, pb.ModelConfig()))
    except text_format.ParseError as error:
        raise invalid(f"{where}: {error}") from None


def checked_config(given: Mapping[str, Any], where: str) -> Config:
    """The configuration of a JSON object in its usual form; INVALID_ARGUMENT says what is not part of one."""
    own = {key: value for key, value in given.items() if key in OWN_KEYS}
    rest = {key: value for key, value in given.items() if key not in OWN_KEYS}
    return {**as_json(as_message(rest, where)), **own}


def as_message(config: Mapping[str, Any], where: str) -> pb.ModelConfig:
    """The protobuf message of a configuration; keys of our own have no place in it."""
    rest = {key: value for key, value in config.items() if key not in OWN_KEYS}
    try:
        message: pb.ModelConfig = json_format.ParseDict(rest, pb.ModelConfig())
    except json_format.ParseError as error:
        raise invalid(f"configuration of '{where}': {error}") from None
    return message


def as_json(message: pb.ModelConfig) -> Config:
    """A message as the JSON object that the protocol shows: names of fields, names of enum values."""
    document: Config = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return document
