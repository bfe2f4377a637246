"""What the registry offers to be served: versions whose names match, with whole files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sardonyx.database import Database
from sardonyx.protocol.records import Version
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.source import RegistrySource
from sardonyx.registry.state import State, VersionState, read_state

Enter = Callable[..., Version]


@pytest.fixture
def state(database: Database, enter: Enter) -> State:
    for model in ("digits", "faces"):
        enter(model, config={"instances": 2})
    return read_state(database)


def offered(source: RegistrySource) -> set[tuple[str, str]]:
    return {(offer.name, offer.version) for offer in source.offers()}


def test_a_version_is_offered_as_files_with_its_settings(state: State, store: ArtefactStore) -> None:
    source = RegistrySource(lambda: state, store)
    offers = {offer.name: offer for offer in source.offers()}
    assert set(offers) == {"digits", "faces"}
    offer = offers["digits"]
    assert (offer.version, offer.config, offer.essential) == ("1", {"instances": 2}, False)
    assert offer.path.is_file()
    assert not source.incomplete


def test_only_names_that_match_are_offered(state: State, store: ArtefactStore) -> None:
    source = RegistrySource(lambda: state, store, ("d*", "x"))
    assert offered(source) == {("digits", "1")}
    source.patterns = frozenset({"F*"})
    assert offered(source) == set()
    assert not source.incomplete


def test_what_was_offered_before_stays_while_its_files_cannot_be_had(
    state: State, store: ArtefactStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, late = RegistrySource(lambda: state, store), RegistrySource(lambda: state, store)
    before = source.offers()

    def gone(digest: str, files: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "materialise", gone)
        assert list(source.offers()) == list(before)
        assert offered(late) == set()
        assert late.incomplete
    assert "digits:1 cannot be served: the disk is gone" in capsys.readouterr().err
    assert offered(late) == offered(source)
    assert not late.incomplete


def test_the_name_of_an_endpoint_stands_for_what_is_deployed_there(store: ArtefactStore) -> None:
    files, under = (), frozenset({"sum", "all"})
    wanted = (
        VersionState("add", "1", "d1", files, {}, under),
        VersionState("add", "2", "d2", files, {}),
        VersionState("other", "1", "d3", files, {}, frozenset({"sum"})),
    )
    source = RegistrySource(lambda: State(wanted=wanted), store, ("sum",))
    store.materialise = lambda digest, files: Path(digest)  # type: ignore[method-assign]
    assert offered(source) == {("add", "1"), ("other", "1")}
    source.patterns = frozenset({"a*"})
    assert offered(source) == {("add", "1"), ("add", "2")}
    source.patterns = frozenset({"nothing"})
    assert offered(source) == set()
