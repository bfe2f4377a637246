"""From a reference to a file in the zoo's folder: looked up there first, else brought with its weights.

Decides where remote files lie and when the network may be asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from sardonyx.errors import LoadError
from sardonyx.zoo import hub, oci, tokens
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import model, zoo_directory
from sardonyx.zoo.download import Wanted, bring, sha256
from sardonyx.zoo.fetch import fetch_one, is_in_place
from sardonyx.zoo.references import Reference, mirrored, parse

OFFLINE = ("SARDONYX_OFFLINE", "HF_HUB_OFFLINE")
RECORD = "source.json"


def pull(reference: str, *, refresh: bool = False, quiet: bool = False) -> Path:
    """The local path of a model; brought if it is not there.

    Args:
        reference: a name of the zoo, `hf://org/repo[@revision]/file`, `https://...[#sha256=...]` or
            `oci://host/repository:tag[/file]`.
        refresh: ask again for what is there.
        quiet: write no progress to stderr.

    Raises:
        FetchError: it cannot be downloaded, differs from what is wanted, or the network is off.
        KeyError: the zoo has no such name.
    """
    wanted = parse(reference)
    if wanted.scheme == "name":
        return _named(wanted.text, quiet)
    folder = place(wanted)
    target = folder / wanted.filename
    if not refresh and _is_whole(folder, target):
        return target
    if is_offline():
        raise FetchError(f"{reference} is not in {zoo_directory()}, and the network is off ({OFFLINE[0]})")
    found = _resolved(wanted)
    is_damaged = target.is_file() and (folder / RECORD).is_file()
    anew = refresh or is_damaged
    digest = bring(found, target, quiet=quiet, refresh=anew)
    others = [_weights(wanted, name, folder, quiet=quiet, anew=anew) for name in _external(target, found)]
    record = {"reference": reference, "sha256": digest, "files": [target.name, *others]}
    with tempfile.TemporaryDirectory(prefix=".record-", dir=folder) as scratch:
        whole = Path(scratch) / RECORD
        whole.write_text(json.dumps(record, indent=1), encoding="utf-8")
        whole.replace(folder / RECORD)
    return target


def is_offline() -> bool:
    """Whether the environment says that no network is to be asked."""
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in OFFLINE)


def place(reference: Reference) -> Path:
    """The folder of a remote file: one for each reference."""
    key = hashlib.sha256(f"{reference.text}#{reference.sha256}".encode()).hexdigest()[:16]
    return zoo_directory() / "remote" / f"{Path(reference.filename).stem}-{key}"


def _named(name: str, quiet: bool) -> Path:
    try:
        wanted = model(name)
    except KeyError as error:
        raise FetchError(str(error.args[0])) from None
    if is_offline() and not is_in_place(wanted):
        raise FetchError(f"{name} is not in {zoo_directory()}, and the network is off ({OFFLINE[0]})")
    return fetch_one(name, quiet=quiet)


def _is_whole(folder: Path, target: Path) -> bool:
    record = folder / RECORD
    if not record.is_file() or not target.is_file():
        return False
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return all((folder / name).is_file() for name in kept["files"]) and sha256(target) == kept["sha256"]


def _resolved(reference: Reference) -> Wanted:
    if reference.scheme == "hf":
        return hub.wanted(reference)
    if reference.scheme == "oci":
        return oci.wanted(reference)
    url = mirrored(reference.text)
    return Wanted(url, reference.sha256, 0, tokens.of_host(reference.host), reference.text)


def _external(model: Path, wanted: Wanted) -> tuple[str, ...]:
    """Files that hold weights of the model; none that would lie outside its folder.

    FetchError if it is no model: then it is not kept.
    """
    from sardonyx.frontend import mistaken
    from sardonyx.frontend.summary import summarize  # ONNX, for a model that comes

    try:
        names = summarize(model).external_files if model.suffix == ".onnx" else ()
    except LoadError as error:
        is_page = mistaken.format_of(model.read_bytes()[: mistaken.START_BYTES]) == "page"
        why = str(error).removeprefix(f"{model} is not an ONNX model: ")
        model.unlink()
        page = " but a page of the web; does it want you to log in?" if is_page else f": {why}"
        host = urlsplit(wanted.url).netloc
        raise FetchError(f"{wanted.label}: what {host} sends is not an ONNX model{page}") from error
    for name in names:
        path = Path(name)
        if path.is_absolute() or ".." in path.parts:
            raise FetchError(f"{model.name} wants weights from {name!r}, which is outside its folder")
    return names


def _weights(reference: Reference, name: str, folder: Path, *, quiet: bool, anew: bool) -> str:
    """Bring a file of weights that lies beside the model; again with a model that is brought anew."""
    beside = reference.file.rpartition("/")[0]
    file = f"{beside}/{name}" if beside else name
    if reference.scheme == "https":
        text = f"{reference.text.rpartition('/')[0]}/{name}"
    else:
        text = f"{reference.scheme}://{reference.host}{reference.repo}@{reference.at}/{file}"
    sibling = Reference(text, reference.scheme, reference.host, reference.repo, reference.at, file)
    bring(_resolved(sibling), folder / name, quiet=quiet, refresh=anew)
    return name
