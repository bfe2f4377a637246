"""From an offer to something that answers: a compiled model, a Python step, an ensemble, a sequence model.

Decides what an offer is, and makes it ready and warm. Must not know who asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sardonyx.ort.metadata import declared
from sardonyx.protocol.errors import invalid
from sardonyx.runtime.cores import team_size
from sardonyx.serve.batch import Joiner
from sardonyx.serve.decoupled import Decoupled, Each, is_decoupled
from sardonyx.serve.engine import SessionCall, custom_metadata, open_session, served_arguments
from sardonyx.serve.ensemble import Ensemble, Lookup, ensemble_signature
from sardonyx.serve.labels import labels_beside, labels_in
from sardonyx.serve.model import QUICK_NS, Model, Prepared
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.policy import Policy, policy_of
from sardonyx.serve.probe import cost_ns, joins, warm, warm_as_told
from sardonyx.serve.python_model import declared_signature, open_python
from sardonyx.serve.reshape import configured
from sardonyx.serve.seams import Offer
from sardonyx.serve.sequence import SequenceModel, has_sequences
from sardonyx.serve.signature import Signature, signature_of

Servable = Model | Ensemble | SequenceModel | Decoupled
ENSEMBLE, PYTHON = "ensemble", "python"


@dataclass(frozen=True, slots=True)
class Composition:
    """An ensemble before it is on a loop."""

    offer: Offer
    signature: Signature
    labels: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Many:
    """A decoupled step before it is on a loop."""

    offer: Offer
    signature: Signature
    each: Each
    policy: Policy


Ready = Prepared | Composition | Many


def prepare(offer: Offer, options: ServeOptions) -> Ready:
    """Make the content of an offer ready; blocks. ServeError says what is wrong with it."""
    if offer.fault:
        raise invalid(offer.fault)
    if "ensemble_scheduling" in offer.config:
        return Composition(offer, ensemble_signature(offer), _labels_told(offer))
    if offer.path.suffix == ".py":
        signature = declared_signature(offer)
        policy = policy_of(offer.config, options, batches=signature.batches, where=offer.name)
        call = open_python(offer, signature)
        if is_decoupled(offer.config):
            return Many(offer, signature, call.each, policy)
        labels = _labels_told(offer)
        return Prepared(offer, call, signature, policy, output_labels=labels, platform=PYTHON)
    if is_decoupled(offer.config):
        raise invalid(
            f"model '{offer.name}': 'decoupled' is for steps in Python, whose function gives many answers"
        )
    return _compiled(offer, options)


def place(prepared: Ready, options: ServeOptions, lookup: Lookup) -> Servable:
    """Put what was prepared on the running loop; `lookup` finds the models that an ensemble asks."""
    if isinstance(prepared, Composition):
        return Ensemble(prepared.offer, prepared.signature, lookup, prepared.labels)
    if isinstance(prepared, Many):
        return Decoupled(prepared.offer, prepared.signature, prepared.each, prepared.policy, options)
    model = Model(prepared, options)
    return SequenceModel(model) if has_sequences(prepared.offer.config) else model


def _compiled(offer: Offer, options: ServeOptions) -> Prepared:
    config = offer.config
    policy = policy_of(config, options, batches=False, where=offer.name)
    session = open_session(offer, options, policy.instances)
    inputs = [(a.name, a.type, declared(a).shape) for a in session.get_inputs()]
    signature = signature_of(offer.name, inputs, served_arguments(session.get_outputs()))
    call = SessionCall(offer.name, session, signature)
    if config.get("model_warmup"):
        warm_as_told(config["model_warmup"], signature, call)
    free = warm(signature, call)
    if "max_batch_size" in config:
        signature = replace(signature, batches=int(config.get("max_batch_size", 0)) > 0)
    elif signature.batches and (free is None or not joins(signature, call, free)):
        signature = replace(signature, batches=False)
    policy = policy_of(
        config,
        options,
        batches=signature.batches,
        where=offer.name,
        most_instances=options.threads or team_size(),
    )
    quick = free is not None and cost_ns(signature, call, free) < QUICK_NS
    shown, reshaped = configured(config, signature, call)
    Joiner(shown, policy.pad)
    labels = labels_in(custom_metadata(session))
    beside = {**call.classes, **_labels_told(offer)}
    return Prepared(offer, reshaped, shown, policy, session, labels, beside, quick=quick)


def _labels_told(offer: Offer) -> dict[str, list[str]]:
    """The class names in the files that a configuration names, which lie beside the model or its version."""
    version = offer.path if offer.path.is_dir() else offer.path.parent
    return labels_beside((version.parent, version), offer.config.get("output"))
