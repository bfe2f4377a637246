"""What the registry knows of a model stands on its page; cells carry the heads of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sardonyx.gateway.console.registered import Registered, origins, registered, verdict
from sardonyx.gateway.console.view import labelled_cells
from sardonyx.gateway.gateway import Gateway
from sardonyx.protocol.records import Check, Lineage, Version
from tests.gateway.conftest import ADD
from tests.gateway.running import client_of, entered, running
from tests.serve.models import save


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with `add` in its registry, and `file` in its registry and in a folder."""
    folder = tmp_path_factory.mktemp("registered")
    save(ADD % 1, folder / "models" / "file.onnx")
    with running(folder / "home", [folder / "models"]) as gateway, client_of(gateway) as client:
        client.create_model("add", description="adds <numbers>", tags={"team": "sums"})
        for number in (1, 2):
            path = save(ADD % number, folder / f"{number}.onnx")
            entered(gateway, "add", path, lineage=Lineage(framework="pencil", run="r7"), aliases=["best"])
        entered(gateway, "file", save(ADD % 3, folder / "3.onnx"))
        yield gateway


def page(gateway: Gateway, name: str) -> str:
    return httpx.get(f"{gateway.server.http_url}/console/models/{name}", trust_env=False, verify=False).text


def test_the_page_of_a_registered_model_says_what_is_known(kept: Gateway) -> None:
    text = page(kept, "add")
    for part in (
        "adds &lt;numbers&gt;",
        "team: sums",
        "@best",
        "pencil",
        "r7",
        'aria-label="Registered versions"',
    ):
        assert part in text, part


def test_a_file_that_is_served_under_the_name_has_no_facts(kept: Gateway) -> None:
    assert "Registered versions" not in page(kept, "file")
    catalog = kept.administration.catalog
    assert registered(catalog, "file", {"of something else"}) is None
    assert registered(catalog, "nothing", ()) is None
    found = registered(catalog, "file", ())
    assert found is not None
    assert [version.version for version in found.versions] == ["1"]


def test_without_its_database_the_page_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "home") as gateway:
        entered(gateway, "add", save(ADD % 1, tmp_path / "add.onnx"))
        gateway.database.close()
        (tmp_path / "home/sardonyx.db").write_bytes(b"\xa5" * 8192)
        found = registered(gateway.administration.catalog, "add", ())
        assert isinstance(found, Registered)
        assert "damaged" in found.trouble
        assert "What is registered cannot be read" in page(gateway, "add")


def version(*checks: Check) -> Version:
    return Version(
        model="m",
        version="1",
        digest="",
        size_bytes=0,
        created_at="",
        created_by="",
        checks=list(checks),  # type: ignore[arg-type]
    )


def test_checks_in_words() -> None:
    good, odd = Check(name="parity", verdict="passed"), Check(name="native", verdict="warning", detail="Loop")
    assert verdict(version()) == ("None", "", "")
    assert verdict(version(good)) == ("Passed", "good", "")
    assert verdict(version(good, odd)) == ("1 warning", "warn", "native: Loop")
    bad = Check(name="run", verdict="failed", detail="no")
    assert verdict(version(odd, bad)) == ("1 failed", "bad", "native: Loop; run: no")
    assert origins(Lineage(framework="f", source="s")) == [("source", "s"), ("framework", "f")]


def test_memory_is_measured(kept: Gateway) -> None:
    text = httpx.get(f"{kept.server.http_url}/metrics", trust_env=False, verify=False).text
    lines = [line for line in text.splitlines() if line.startswith("sardonyx_model_memory_bytes{")]
    assert len(lines) == 2
    assert all(float(line.split()[-1]) > 0 for line in lines), lines
    statistics = httpx.get(
        f"{kept.server.http_url}/v2/models/file/stats", trust_env=False, verify=False
    ).json()
    assert statistics["model_stats"][0]["memory_usage"][0]["byte_size"] > 0


def test_cells_carry_the_heads_of_their_columns() -> None:
    table = (
        '<p>x</p><table><thead><tr><th scope="col">A</th>'
        '<th scope="col" class="num"><span>B</span></th></tr></thead>'
        '<tbody><tr data-row="r"><th scope="row">1</th><td class="num"><b>2</b></td></tr></tbody></table>'
    )
    found = labelled_cells(table)
    assert '<tr role="row" data-row="r"><th role="rowheader" data-label="A" scope="row">' in found
    assert '<td role="cell" data-label="B" class="num"><b>2</b>' in found
    assert found.startswith(
        '<p>x</p><table class="stacked" role="table"><thead role="rowgroup"><tr role="row">'
    )
    matrix = table.replace("<table>", '<table class="matrix">')
    assert labelled_cells(matrix) == matrix
