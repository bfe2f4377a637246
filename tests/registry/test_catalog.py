"""Models, versions, aliases: what references mean, what is refused, what remains after a removal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from sardonyx.database import Database
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import ModelChange, NewModel, Version, VersionChange
from sardonyx.registry.artefacts import ArtefactStore, digest_of
from sardonyx.registry.audit import Audit
from sardonyx.registry.catalog import Catalog

Enter = Callable[..., Version]


def stored(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "home/artefacts/sha256").glob("??/*")}


def refused(code: Code) -> pytest.RaisesExc[ServeError]:
    return pytest.RaisesExc(ServeError, check=lambda error: error.code is code)


def test_versions_count_up_and_numbers_are_never_used_again(catalog: Catalog, enter: Enter) -> None:
    assert [enter("digits").version for _ in range(3)] == ["1", "2", "3"]
    catalog.delete_version("digits", "3", "tester")
    assert enter("digits").version == "4"
    assert catalog.model("digits").versions == ["1", "2", "4"]


def test_a_reference_is_a_number_an_alias_or_nothing(catalog: Catalog, enter: Enter) -> None:
    enter("digits")
    enter("digits", aliases=["next"])
    assert catalog.version("digits", "1").version == "1"
    assert catalog.version("digits", "@next").version == "2"
    assert catalog.version("digits").version == "2"
    catalog.set_alias("digits", "champion", "1", "tester")
    assert catalog.version("digits").version == "1"
    assert catalog.version("digits", "1").aliases == ["champion"]
    for wrong in ("3", "@nobody", "one"):
        with refused(Code.NOT_FOUND):
            catalog.version("digits", wrong)
    with refused(Code.NOT_FOUND):
        catalog.version("letters")


@pytest.mark.parametrize(
    "name",
    ["", "..", "a/b", "../up", "-rf", "a b", "a\n", "stats", "ü", "a" * 129, ".hidden", "a..b", "a\x00"],
)
def test_names_that_could_leave_their_place_are_refused(catalog: Catalog, name: str) -> None:
    with refused(Code.INVALID_ARGUMENT):
        catalog.create(NewModel(name=name), "tester")


def test_an_alias_is_no_number(catalog: Catalog, enter: Enter) -> None:
    enter("digits")
    with refused(Code.INVALID_ARGUMENT):
        catalog.set_alias("digits", "7", "1", "tester")


def test_tags_stage_and_description_change_and_content_does_not(catalog: Catalog, enter: Enter) -> None:
    before = enter("digits", tags={"team": "vision", "old": "yes"})
    change = VersionChange(stage="production", description="the good one", tags={"old": None, "new": "1"})
    after = catalog.change_version("digits", "1", change, "tester")
    assert (after.stage, after.description) == ("production", "the good one")
    assert after.tags == {"team": "vision", "new": "1"}
    assert after.digest == before.digest
    catalog.change("digits", ModelChange(tags={"domain": "text"}), "tester")
    enter("letters")
    assert [model.name for model in catalog.models(tags={"domain": "text"})] == ["digits"]
    assert [model.name for model in catalog.models("l*")] == ["letters"]


def test_equal_content_is_kept_once_and_until_nobody_needs_it(
    catalog: Catalog, enter: Enter, tmp_path: Path
) -> None:
    first, second = enter("digits"), enter("letters")
    other = enter("digits", "sigmoid.onnx")
    assert first.digest == second.digest != other.digest
    assert len(stored(tmp_path)) == 2
    catalog.delete("digits", "tester")
    assert stored(tmp_path) == {second.files[0].sha256}
    catalog.delete("letters", "tester")
    assert not stored(tmp_path)


def test_an_aliased_version_stays(catalog: Catalog, enter: Enter) -> None:
    enter("digits", aliases=["champion"])
    with refused(Code.CONFLICT):
        catalog.delete_version("digits", "1", "tester")
    catalog.remove_alias("digits", "@champion", "tester")
    catalog.delete_version("digits", "1", "tester")
    with refused(Code.CONFLICT):
        catalog.create(NewModel(name="digits"), "tester")


def test_what_is_read_back_is_what_was_stored(store: ArtefactStore, enter: Enter, tmp_path: Path) -> None:
    version = enter("digits")
    folder = store.materialise(version.digest, version.files)
    assert (folder / "model.onnx").read_bytes() == store.open(version.files[0].sha256).read()
    store.forget_folder(version.digest)
    (path,) = (tmp_path / "home/artefacts/sha256").glob("??/*")
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert store.verify(version.files)
    with refused(Code.UNAVAILABLE):
        store.materialise(version.digest, version.files)
    assert not list((tmp_path / "home/work/incoming").iterdir())
    enter("digits")
    assert not store.verify(version.files)
    assert store.materialise(version.digest, version.files).is_dir()


def test_an_object_store_keeps_them_as_a_folder_does(tmp_path: Path) -> None:
    """fsspec's memory stands for all of its stores."""
    source = tmp_path / "model.onnx"
    source.write_bytes(b"model")
    for _ in range(2):
        store = ArtefactStore("memory://bucket/models", tmp_path / "work")
        files = store.put({"model.onnx": source, "inner/labels.txt": source})
        assert not store.missing(files)
        assert store.verify(files) == []
    folder = store.materialise(digest_of(files), files)
    assert (folder / "inner/labels.txt").read_bytes() == b"model"
    store.remove({file.sha256 for file in files})
    assert store.missing(files)
    with refused(Code.UNAVAILABLE):
        store.materialise("another", files)


def test_every_change_is_in_the_audit_log_and_a_forged_entry_shows(
    catalog: Catalog, enter: Enter, database: Database
) -> None:
    enter("digits", aliases=["champion"])
    catalog.delete("digits", "someone")
    log = Audit(database)
    assert [entry.action for entry in log.entries()] == ["model.delete", "version.register", "model.create"]
    assert [entry.number for entry in log.entries(actor="some")] == [3]
    assert [entry.number for entry in log.entries(limit=1, before=3)] == [2]
    assert log.check().broken is None
    with database.write() as session:
        session.execute(text("UPDATE audit SET actor = 'nobody' WHERE id = 2"))
    assert log.check().broken == 2


def test_every_change_moves_the_counter_that_gateways_watch(
    catalog: Catalog, enter: Enter, database: Database
) -> None:
    seen = [database.changes()]
    enter("digits")
    seen.append(database.changes())
    catalog.set_alias("digits", "champion", "1", "tester")
    seen.append(database.changes())
    assert seen == sorted(set(seen))
    with refused(Code.NOT_FOUND):
        catalog.set_alias("digits", "champion", "9", "tester")
    assert database.changes() == seen[-1]
