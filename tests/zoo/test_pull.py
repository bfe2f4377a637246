"""Files come whole, verified and once, from servers that drop, truncate, lie, redirect and refuse."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx import zoo
from sardonyx.tools.cli import main
from sardonyx.zoo import FetchError, asking, download, pull
from sardonyx.zoo.references import parse
from tests.zoo.server import Shelf, artefact, digest, serving

MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> a (float[N] x) => (float[N] y) {y = Abs(x)}'
).SerializeToString()
LARGE = np.random.default_rng(0).bytes(300_000)
FILE = "/files/model.onnx"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "SARDONYX_OFFLINE", "HF_HUB_OFFLINE", "SARDONYX_MIRRORS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HF_HOME", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("SARDONYX_ZOO", str(tmp_path / "zoo"))
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.001)
    with serving(Shelf({FILE: MODEL, "/files/large.bin": LARGE})) as made:
        yield made


def kept(tmp_path: Path) -> list[str]:
    """Names of all files below the zoo that are not locks."""
    return sorted(
        p.name for p in (tmp_path / "zoo").rglob("*") if p.is_file() and not p.name.endswith(".lock")
    )


def test_a_file_comes_once_and_runs(shelf: Shelf) -> None:
    url = shelf.url(FILE)
    assert pull(url).read_bytes() == MODEL
    assert zoo.load(url).run(None, {"x": np.array([-1], np.float32)})[0].tolist() == [1]
    assert len(shelf.asked) == 1
    pull(url, refresh=True)
    assert len(shelf.asked) == 2


def test_what_broke_off_is_continued(shelf: Shelf) -> None:
    shelf.faults["/files/large.bin"] = ["drop=100000", "drop=50000", "status=503", ""]
    assert pull(shelf.url("/files/large.bin")).read_bytes() == LARGE
    ranges = [headers.get("range") for headers in shelf.requests("/files/large.bin")]
    assert ranges == [None, "bytes=100000-", "bytes=150000-", "bytes=150000-"]


def test_a_part_of_an_earlier_run_is_continued(shelf: Shelf, tmp_path: Path) -> None:
    shelf.faults["/files/large.bin"] = ["drop=1000"] + ["drop=0"] * 20
    with pytest.raises(FetchError, match="1000 bytes are kept"):
        pull(shelf.url("/files/large.bin"))
    shelf.faults.clear()
    assert pull(shelf.url("/files/large.bin")).read_bytes() == LARGE
    assert shelf.asked[-1][2]["range"] == "bytes=1000-"
    assert kept(tmp_path) == ["large.bin", "source.json"]


def test_a_server_that_cannot_continue_starts_anew(shelf: Shelf) -> None:
    shelf.faults["/files/large.bin"] = ["drop=1000", "whole"]
    assert pull(shelf.url("/files/large.bin")).read_bytes() == LARGE


def test_a_server_that_continues_elsewhere_is_refused(shelf: Shelf) -> None:
    shelf.faults["/files/large.bin"] = ["drop=1000", "wrong"]
    with pytest.raises(FetchError, match="asked for bytes from 1000 on"):
        pull(shelf.url("/files/large.bin"))


def test_parts_that_are_sent_unasked_are_completed(shelf: Shelf) -> None:
    shelf.faults["/files/large.bin"] = ["part=1000", "part=500", ""]
    assert pull(shelf.url("/files/large.bin")).read_bytes() == LARGE
    assert [row.get("range") for row in shelf.requests("/files/large.bin")][1:] == [
        "bytes=1000-",
        "bytes=1500-",
    ]


def test_what_is_packed_all_the_same_is_unpacked(shelf: Shelf) -> None:
    shelf.faults[FILE] = ["packed"]
    assert pull(shelf.url(FILE)).read_bytes() == MODEL


def test_a_busy_server_is_asked_again_as_it_wishes(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(asking.time, "sleep", waited.append)
    shelf.faults[FILE] = ["wait=7", "status=503", "wait=soon", ""]
    assert pull(shelf.url(FILE)).read_bytes() == MODEL
    assert waited == [7, 0.002, 0.004]
    shelf.faults["/files/large.bin"] = ["wait=3600"]
    with pytest.raises(FetchError, match=r"is busy \(it answers 429\); try again in 3600 seconds$"):
        pull(shelf.url("/files/large.bin"))
    shelf.faults["/files/large.bin"] = ["status=503"] * 5
    with pytest.raises(FetchError, match=r"is busy \(it answers 503\); try again later$"):
        pull(shelf.url("/files/large.bin"))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (FILE, "redirects in a circle"),
        ("http://models.example/model.onnx", "only https:// is asked"),
        ("file:///etc/hostname", "only https:// is asked"),
        ("ftp://127.0.0.1/model.onnx", "only https:// is asked"),
    ],
)
def test_ways_that_are_not_gone(place: str, said: str, shelf: Shelf, tmp_path: Path) -> None:
    shelf.faults[FILE] = [f"redirect={place}"] * 40
    with pytest.raises(FetchError, match=said):
        pull(shelf.url(FILE))
    assert not kept(tmp_path)


def test_a_page_in_place_of_a_model_is_not_kept(shelf: Shelf, tmp_path: Path) -> None:
    shelf.faults[FILE] = ["page"]
    with pytest.raises(FetchError, match="is not an ONNX model but a page of the web"):
        pull(shelf.url(FILE))
    assert not kept(tmp_path)
    shelf.files["/files/noise.onnx"] = LARGE
    with pytest.raises(FetchError, match="sends is not an ONNX model: "):
        pull(shelf.url("/files/noise.onnx"))
    assert pull(shelf.url(FILE)).read_bytes() == MODEL


def test_a_model_stays_until_its_new_one_is_whole(shelf: Shelf) -> None:
    path = pull(shelf.url(FILE))
    shelf.faults[FILE] = ["status=404"]
    with pytest.raises(FetchError, match="no such file"):
        pull(shelf.url(FILE), refresh=True)
    assert path.read_bytes() == MODEL


def test_other_bytes_than_promised_are_refused(shelf: Shelf, tmp_path: Path) -> None:
    url = f"{shelf.url(FILE)}#sha256={digest(MODEL)}"
    shelf.faults[FILE] = ["lie"]
    with pytest.raises(FetchError, match="and it must be"):
        pull(url)
    assert not [name for name in kept(tmp_path) if "model" in name and not name.endswith(".etag")]
    assert pull(url).read_bytes() == MODEL


def test_tokens_stay_with_their_host(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    shelf.faults[FILE] = ["redirect"]
    pull(shelf.url(FILE))
    first, second = shelf.requests(FILE)
    assert first["authorization"].startswith("Basic ") and "authorization" not in second


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("status=403", "terms were not accepted"),
        ("status=404", "no such file"),
        ("status=418", "answers 418"),
    ],
)
def test_refusals_say_why(fault: str, said: str, shelf: Shelf) -> None:
    shelf.faults[FILE] = [fault]
    with pytest.raises(FetchError, match=said):
        pull(shelf.url(FILE))


def test_offline_gives_what_is_here_alone(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    url = shelf.url(FILE)
    pull(url)
    monkeypatch.setenv("SARDONYX_OFFLINE", "1")
    assert pull(url).read_bytes() == MODEL
    with pytest.raises(FetchError, match="the network is off"):
        pull(shelf.url("/files/large.bin"))
    with pytest.raises(FetchError, match="the network is off"):
        pull("mnist_cntk")


def test_a_mirror_stands_in(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_MIRRORS", f"https://models.example={shelf.url('/files')}")
    assert pull("https://models.example/model.onnx").read_bytes() == MODEL


def test_a_damaged_file_is_brought_again(shelf: Shelf) -> None:
    path = pull(shelf.url(FILE))
    path.write_bytes(MODEL[:-1])
    assert pull(shelf.url(FILE)).read_bytes() == MODEL
    path.with_name("source.json").write_text("{")
    assert pull(shelf.url(FILE)).read_bytes() == MODEL
    assert len(shelf.asked) == 3


def test_the_hub_tells_the_digest(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", shelf.url(""))
    monkeypatch.setenv("HF_TOKEN", "mine")
    place = "/org/net/resolve/v1/onnx/model.onnx"
    shelf.files[place], shelf.token = MODEL, "mine"
    assert pull("hf://org/net@v1/onnx/model.onnx").read_bytes() == MODEL
    shelf.files[place.replace("v1", "v2")], shelf.faults[place.replace("v1", "v2")] = LARGE, ["lie"]
    with pytest.raises(FetchError, match="and it must be"):
        pull("hf://org/net@v2/onnx/model.onnx")
    monkeypatch.setenv("HF_TOKEN", "other")
    with pytest.raises(FetchError, match="a token is needed"):
        pull("hf://org/net@v3/onnx/model.onnx")


def test_weights_beside_a_model_come_with_it(shelf: Shelf, tmp_path: Path) -> None:
    big = shelf.url("/files/big.onnx")
    put_beside(shelf, tmp_path, np.arange(2000, dtype=np.float32))
    assert answer_of(big) == 1999
    put_beside(shelf, tmp_path, np.full(2000, 7, np.float32))
    assert answer_of(big) == 1999
    shelf.faults["/files/big.data"] = ["status=404"]
    with pytest.raises(FetchError, match="no such file"):
        pull(big, refresh=True)
    assert pull(big, refresh=True) and answer_of(big) == 7


def put_beside(shelf: Shelf, tmp_path: Path, values: np.ndarray) -> None:
    """Put the model that adds these values, which lie in a file of their own, on the shelf."""
    weight = onnx.numpy_helper.from_array(values, "w")
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> a (float[2000] x) => (float[2000] y) {y = Add(x, w)}'
    )
    model.graph.initializer.append(weight)
    (tmp_path / "big.data").unlink(missing_ok=True)
    onnx.save(model, tmp_path / "big.onnx", save_as_external_data=True, location="big.data", size_threshold=0)
    for name in ("big.onnx", "big.data"):
        shelf.files[f"/files/{name}"] = (tmp_path / name).read_bytes()


def answer_of(url: str) -> float:
    return float(zoo.load(url).run(None, {"x": np.zeros(2000, np.float32)})[0][-1])


def test_a_registry_asks_for_a_token_and_is_verified(shelf: Shelf) -> None:
    whole = artefact(shelf, "team/net", "v1", {"model.onnx": MODEL, "notes.txt": b"hello"})
    shelf.token = "given"
    host = f"127.0.0.1:{shelf.port}"
    assert pull(f"oci://{host}/team/net:v1").read_bytes() == MODEL
    assert pull(f"oci://{host}/team/net@{whole}/notes.txt").read_bytes() == b"hello"
    shelf.files[f"/v2/team/net/manifests/{whole}"] = b'{"layers": []}'
    with pytest.raises(FetchError, match="another digest"):
        pull(f"oci://{host}/team/net@{whole}/model.onnx")
    shelf.files[f"/v2/team/net/blobs/sha256:{digest(MODEL)}"] = bytes(len(MODEL))
    with pytest.raises(FetchError, match="and it must be"):
        pull(f"oci://{host}/team/net:v1/model.onnx")
    with pytest.raises(FetchError, match="which file is meant"):
        pull(f"oci://{host}/team/net:v1/nothing.onnx")


def test_many_at_once_bring_it_once(shelf: Shelf) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(pull(shelf.url("/files/large.bin")).read_bytes()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [LARGE] * 4
    assert len(shelf.asked) == 1


def test_a_full_disk_is_said(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_write", full)
    with pytest.raises(FetchError, match="is the disk full"):
        pull(shelf.url(FILE))
    assert "model.onnx" not in kept(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        *("hf://alone/model", "oci://host", "ftp://host/x", "http://models.example/x.onnx", "no_such_model"),
        *("https://", "https://host:port/x.onnx", "https://[::/x.onnx", "https://host/x.onnx#sha256=12"),
    ],
)
def test_references_that_mean_nothing(text: str, shelf: Shelf) -> None:
    with pytest.raises(FetchError):
        pull(text)
    assert not shelf.asked


def test_references_are_read() -> None:
    assert not parse("https://host/x.onnx#part").sha256
    hub = parse("hf://a/b@refs%2Fpr%2F1/onnx/m.onnx")
    assert (hub.repo, hub.at, hub.file) == ("a/b", "refs%2Fpr%2F1", "onnx/m.onnx")
    held = parse("oci://host:5000/a/b")
    assert (held.host, held.repo, held.at, held.file) == ("host:5000", "a/b", "latest", "")


def test_the_command_lists_searches_and_shows(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "search", "wake", "word"]) == 0
    assert "oww_hey_jarvis" in capsys.readouterr().out
    assert main(["zoo", "show", "mnist_cntk"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out
    assert main(["zoo", "pull", shelf.url(FILE), "--quiet"]) == 0
    assert Path(capsys.readouterr().out.strip()).read_bytes() == MODEL
    assert main(["zoo", "pull", "mnist_ctnk"]) == 1
    assert "is it mnist_cntk" in capsys.readouterr().err
