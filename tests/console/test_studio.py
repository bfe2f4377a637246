"""Pictures are brought, labelled by keys, trained on and deployed in the console, in a real browser."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sardonyx.gateway.console.pages.studio import SHOWN
from sardonyx.gateway.gateway import Gateway
from tests.console.browsing import Watched, accessible, chromium, painted
from tests.console.conftest import Browser
from tests.gateway.running import running

NARROWEST = """Math.min(...[...document.querySelectorAll('main input:not([type])')]
    .filter(field => field.offsetParent).map(field => field.getBoundingClientRect().width))"""
COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200)}


def picture(name: str, seed: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40 + seed, 30), COLOURS[name]).save(file, "PNG")
    return file.getvalue()


def packed(count: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in COLOURS:
            for seed in range(count):
                archive.writestr(f"{name}/{seed}.png", picture(name, seed))
    return file.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("home")) as gateway:
        yield gateway


@pytest.fixture
def forms(server: Gateway) -> Iterator[Browser]:
    with Browser(server.server.http_url) as client:
        yield client


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


def sent(forms: Browser, path: str, name: str, content: bytes, field: str = "files") -> str:
    data = {"forgery_token": forms.token}
    answer = forms.post(path, data=data, files={field: (name, content)}, follow_redirects=True)
    return answer.text


def files_of(forms: Browser, name: str) -> list[str]:
    text = forms.get(f"/vision/{name}?label=unlabelled").text
    return [part.split('"')[0] for part in text.split("/label/")[1:]]


def test_collections_are_made_filled_and_deleted(forms: Browser) -> None:
    assert "There is no" not in forms.submit("/vision", name="made").text
    assert forms.submit("/vision", name="made").status_code == 400
    assert forms.submit("/vision", name="../x").status_code == 400
    text = sent(forms, "/vision/made/upload", "set.zip", packed(2))
    assert "4 pictures came in" in text and "red" in text
    text = sent(forms, "/vision/made/upload", "notes.txt", b"text")
    assert "0 pictures came in, 1 were refused: notes.txt: no picture by its name" in text
    assert "choose pictures" in forms.submit("/vision/made/upload").text
    assert forms.submit("/vision/made/forget", name="red").status_code == 200
    assert len(set(files_of(forms, "made"))) == 2
    assert forms.get("/vision/made/picture/x.png").status_code == 400
    assert forms.get("/vision/made/file/collection.json").status_code == 404
    assert "made is gone" in forms.submit("/vision/made/delete").text
    assert forms.get("/vision/made").status_code == 404
    assert forms.submit("/vision/made/dance").status_code == 404


def test_many_pictures_come_in_portions(forms: Browser) -> None:
    forms.submit("/vision", name="many")
    sent(forms, "/vision/many/upload", "set.zip", packed(SHOWN // 2 + 5))
    text = forms.get("/vision/many").text
    assert text.count(" loading=") == SHOWN and "Show more of 10" in text
    assert forms.get(f"/vision/many?shown={SHOWN + 240}").text.count(" loading=") == SHOWN + 10
    assert forms.get("/vision/many?label=red").text.count(" loading=") == SHOWN // 2 + 5


def test_a_form_of_elsewhere_changes_nothing(forms: Browser) -> None:
    assert forms.post("/vision", data={"name": "foreign"}).status_code == 403
    assert forms.get("/vision/foreign").status_code == 404


def test_a_training_that_cannot_be_says_why(forms: Browser) -> None:
    forms.submit("/vision", name="few")
    sent(forms, "/vision/few/upload", "set.zip", packed(2))
    forms.submit("/vision/few/train")
    with forms.stream("GET", "/vision/few/live") as stream:
        last = [line for line in stream.iter_lines() if line][-1]
    assert '"failed"' in last and "5 pictures of a class are the least" in last
    assert "5 pictures of a class are the least" in forms.get("/vision/few").text
    assert "train a model first" in sent(forms, "/vision/few/try", "a.png", picture("red", 1), "file")
    assert "train a model first" in forms.submit("/vision/few/deploy").text


def ready(page: Any, heading: str) -> None:
    page.get_by_role("heading", name=heading).wait_for()
    page.wait_for_load_state()
    painted(page)


def test_keys_label_pictures_and_go_on(chrome: Any, server: Gateway, forms: Browser, tmp_path: Path) -> None:
    watched = Watched(chrome.new_context(viewport={"width": 1280, "height": 900}), server.server.http_url)
    page = watched.page
    watched.go("/vision")
    page.get_by_label("Name").fill("keys")
    page.get_by_role("button", name="Make collection").click()
    page.get_by_role("heading", name="keys", level=1).wait_for()
    for name in COLOURS:
        page.get_by_label("New label").fill(name)
        page.get_by_role("button", name="Add").click()
        page.get_by_role("button", name=f"Remove the label {name}").wait_for()
    chosen = []
    for at, name in enumerate(("red", "blue", "red", "blue")):
        chosen.append(tmp_path / f"{name}{at}.png")
        chosen[-1].write_bytes(picture(name, at))
    page.get_by_label("Pictures, or a .zip").set_input_files(chosen)
    page.get_by_role("button", name="Bring").click()
    page.get_by_role("link", name="Label 4 pictures").click()
    for name, key in (("red0.png", "1"), ("blue1.png", "2"), ("red2.png", "ArrowRight"), ("blue3.png", "0")):
        ready(page, name)
        page.keyboard.press(key)
    ready(page, "red2.png")
    page.keyboard.press("ArrowLeft")
    ready(page, "blue1.png")
    assert page.get_by_role("button", name="blue").get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowRight")
    ready(page, "red2.png")
    page.keyboard.press("1")
    page.get_by_text("Nothing is left to label").wait_for()
    assert files_of(forms, "keys") == []
    assert watched.faults == []


def with_boxes(forms: Browser, name: str) -> list[str]:
    """A collection of boxes with two labels; the files of its pictures."""
    forms.submit("/vision", name=name, kind="boxes")
    for label in COLOURS:
        forms.submit(f"/vision/{name}/class", name=label)
    sent(forms, f"/vision/{name}/upload", "set.zip", packed(2))
    return list(dict.fromkeys(files_of(forms, name)))


def kept_boxes(server: Gateway, name: str) -> list[list[Any]]:
    state = server.options.home / "vision" / name / "collection.json"
    rows = json.loads(state.read_text())["pictures"]
    return [[(mark["label"], mark["box"]) for mark in row["marks"] or ()] for row in rows]


def test_boxes_are_drawn_with_the_mouse(chrome: Any, server: Gateway, forms: Browser) -> None:
    file = with_boxes(forms, "drawn")[0]
    watched = Watched(chrome.new_context(viewport={"width": 1280, "height": 900}), server.server.http_url)
    watched.go(f"/vision/drawn/label/{file}")
    page = watched.page
    area = page.locator("svg.drawing").bounding_box()

    def dragged(begin: tuple[float, float], end: tuple[float, float]) -> None:
        for (x, y), act in ((begin, page.mouse.down), (end, page.mouse.up)):
            page.mouse.move(area["x"] + x * area["width"], area["y"] + y * area["height"], steps=4)
            act()

    dragged((0.2, 0.2), (0.6, 0.7))
    page.get_by_text("1 kept").wait_for()
    page.keyboard.press("2")
    dragged((0.4, 0.4), (0.5, 0.5))
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.down("Shift")
    dragged((0.45, 0.45), (0.9, 0.9))
    page.keyboard.up("Shift")
    page.get_by_text("2 kept").wait_for()
    dragged((0.9, 0.9), (0.8, 0.95))
    page.wait_for_timeout(400)
    page.get_by_role("link", name="Next", exact=True).click()
    ready(page, "1.png")
    first, second = kept_boxes(server, "drawn")[0]
    assert (first[0], second[0]) == ("blue", "red")
    assert first[1] == pytest.approx([0.3, 0.3, 0.7, 0.8], abs=0.04)
    assert second[1] == pytest.approx([0.45, 0.45, 0.8, 0.95], abs=0.04)
    assert watched.faults == []


def test_boxes_are_drawn_with_keys(chrome: Any, server: Gateway, forms: Browser) -> None:
    file = with_boxes(forms, "typed")[0]
    watched = Watched(chrome.new_context(viewport={"width": 1280, "height": 900}), server.server.http_url)
    watched.go(f"/vision/typed/label/{file}")
    page = watched.page
    for key in ("n", "ArrowLeft", "ArrowUp", "Alt+ArrowUp", "Shift+ArrowRight", "2", "n", "1", "Delete", "n"):
        page.keyboard.press(key)
    for key in ("b", "Shift+ArrowDown"):
        page.keyboard.press(key)
    page.get_by_text("2 kept").wait_for()
    page.get_by_role("button", name="Remove box 2").click()
    page.get_by_text("1 kept").wait_for()
    page.get_by_role("button", name="none of these").click()
    page.get_by_text("Take the boxes away first").wait_for()
    page.keyboard.press("Enter")
    page.locator("h1").get_by_text("0.png", exact=True).wait_for()
    page.wait_for_timeout(400)
    ((label, box),) = kept_boxes(server, "typed")[0]
    assert label == "blue" and box == pytest.approx([0.39, 0.389, 0.6, 0.6], abs=0.011)
    assert watched.faults == []


def test_forms_alone_draw_boxes_and_set_labels(server: Gateway, forms: Browser) -> None:
    file = with_boxes(forms, "plain")[0]
    path = f"/vision/plain/label/{file}"
    sides = {"left": "10", "top": "20", "right": "30.5", "bottom": "40"}
    assert forms.submit(path, label="red", **sides).status_code == 200
    assert forms.submit(path, label="blue", **sides).status_code == 200
    assert "30.5" in forms.get(path).text
    forms.submit(path, drop="0")
    assert kept_boxes(server, "plain")[0] == [("blue", [0.1, 0.2, 0.305, 0.4])]
    for bad in ({"label": "red"}, {"label": "red", **sides, "left": "wide"}, {"label": "green", **sides}):
        assert forms.submit(path, **bad).status_code == 400
    for text in ("{", "[1]", '[{"label": "red", "box": [0, 1]}]', '[{"label": "red"}]'):
        assert forms.submit(path, marks=text).status_code == 400
    assert forms.submit("/vision", name="odd", kind="circles").status_code == 400
    forms.submit("/vision", name="tags", kind="several")
    sent(forms, "/vision/tags/upload", "set.zip", packed(1))
    state = server.options.home / "vision" / "tags" / "collection.json"
    tagged = json.loads(state.read_text())["pictures"][0]["file"]
    for label in ("blue", "red", "red"):
        forms.submit(f"/vision/tags/label/{tagged}", label=label)
    marks = json.loads(state.read_text())["pictures"][0]["marks"]
    assert [mark["label"] for mark in marks] == ["blue", "red"]


def test_a_training_is_cancelled(forms: Browser) -> None:
    forms.submit("/vision", name="long")
    sent(forms, "/vision/long/upload", "set.zip", packed(60))
    forms.submit("/vision/long/train")
    assert "Cancel training" in forms.get("/vision/long").text
    assert forms.submit("/vision/long/delete").status_code == 400
    assert forms.submit("/vision/long/cancel").status_code == 200
    with forms.stream("GET", "/vision/long/live") as stream:
        last = [line for line in stream.iter_lines() if line][-1]
    assert '"cancelled"' in last
    assert "The training was cancelled" in forms.get("/vision/long").text
    assert forms.submit("/vision/long/cancel").status_code == 400
    assert forms.submit("/vision/long/delete").status_code == 200


# Colours are one for all widths, and widths for all colours: each scheme is looked at in a width of its own.
@pytest.mark.parametrize(
    ("scheme", "widths"),
    [
        ("light", (360, 768)),
        ("dark", (1280,)),
        pytest.param("light", (1280,), marks=pytest.mark.slow),
        pytest.param("dark", (360, 768), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_pages_fit_and_are_accessible(
    chrome: Any, server: Gateway, forms: Browser, scheme: str, widths: tuple[int, ...]
) -> None:
    name = f"{scheme}-{widths[0]}"
    forms.submit("/vision", name=name)
    sent(forms, f"/vision/{name}/upload", "set.zip", packed(3))
    forms.submit(f"/vision/{name}/forget", name="red")
    file = files_of(forms, name)[0]
    boxed = with_boxes(forms, f"{name}-boxes")[0]
    sides = {"left": "10", "top": "20", "right": "30", "bottom": "40"}
    forms.submit(f"/vision/{name}-boxes/label/{boxed}", label="red", **sides)
    paths = ["/vision", f"/vision/{name}", f"/vision/{name}/label/{file}"]
    paths += [f"/vision/{name}-boxes", f"/vision/{name}-boxes/label/{boxed}"]
    for width in widths:
        context = chrome.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        watched = Watched(context, server.server.http_url)
        for path in paths:
            watched.go(path)
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            assert watched.page.evaluate(NARROWEST) >= 100, (path, width)
            if width != 768:
                assert accessible(watched.page) == [], (path, width)
        assert watched.faults == []
        context.close()


@pytest.mark.slow
def test_from_pictures_to_an_endpoint(chrome: Any, server: Gateway, forms: Browser, tmp_path: Path) -> None:
    forms.submit("/vision", name="colours")
    sent(forms, "/vision/colours/upload", "set.zip", packed(8))
    watched = Watched(chrome.new_context(viewport={"width": 1280, "height": 900}), server.server.http_url)
    page = watched.page
    watched.go("/vision/colours")
    page.get_by_role("button", name="Train").click()
    page.get_by_role("button", name="Train again").wait_for(timeout=300_000)
    (tmp_path / "new.png").write_bytes(picture("blue", 60))
    page.get_by_label("A picture to try").set_input_files(tmp_path / "new.png")
    page.get_by_role("button", name="Try", exact=True).click()
    assert page.locator(".answer-top").inner_text() == "blue"
    assert accessible(page) == []
    page.get_by_label("Endpoint").fill("shop")
    page.get_by_role("button", name="Register a version").click()
    page.get_by_text("colours has version 1 now, and the endpoint shop a deployment of it").wait_for()
    watched.go("/vision/colours/file/report.html")
    assert "On pictures that it never saw" in page.content()
    assert watched.faults == []
    assert len(forms.get("/vision/colours/file/model.onnx").content) > 1 << 20
    labels = forms.get("/models/colours").text
    assert "picture" in labels
