"""The console in a real browser: it works, every page fits and is accessible, nothing leaves the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sardonyx.client import Client
from sardonyx.gateway.gateway import Gateway
from tests.console.browsing import Watched, accessible, chromium
from tests.console.conftest import FLOWERS, Browser, labelled
from tests.gateway.running import client_of

LONG = "customers_that_may_leave_" * 2 + "2026"
PAGES = (
    *(
        "/",
        "/models",
        "/models/flowers",
        "/models/flowers/ask",
        "/models/detector/ask",
        "/models/flowers/profile",
        "/models/roses",
    ),
    *(
        "/endpoints",
        "/endpoints/garden",
        "/requests?model=flowers",
        "/monitors",
        "/monitors/new",
        "/monitors/drift",
    ),
    *(f"/models/{LONG}", f"/models/{LONG}/ask", f"/endpoints/{LONG}", f"/monitors/{LONG}"),
    *("/alerts", "/keys", "/audit", "/login", "/nowhere"),
)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def filled(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """The gateway with endpoints, monitors and kept requests, so that no page is empty, and long names."""
    folder = tmp_path_factory.mktemp("filled")
    with client_of(gateway) as client, Browser(gateway.server.http_url) as forms:
        for _ in range(2):
            client.register("roses", labelled(FLOWERS, "[]", folder / "roses.onnx"))
            client.register(LONG, folder / "roses.onnx")
        forms.submit("/endpoints", name="garden", model="roses", version="1")
        forms.submit("/endpoints/garden/deploy", model="roses", version="2", weight="25", shadow="10")
        forms.submit("/endpoints", name=LONG, model=LONG, version="1", deployment=LONG)
        forms.submit(f"/endpoints/{LONG}/deploy", model=LONG, version="2", name=f"{LONG}b", weight="0")
        for _ in range(6):
            forms.submit("/models/flowers/ask", **{"in.x": "random"})
        assert gateway.monitoring.payload is not None
        gateway.monitoring.payload.flush()
        baseline = {"baseline_file": ("b.csv", b"x0,x1,x2,x3\n" + b"91,92,93,94\n" * 40)}
        fields = {"name": "drift", "model": "flowers", "kind": "data_quality", "min_rows": "2"}
        for name in ("drift", LONG):
            given = {"forgery_token": forms.token, **fields, "name": name}
            forms.post("/monitors", data=given, files=baseline)
    return gateway


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8)).save(path)
    return path


def open_page(
    chrome: Any, gateway: Gateway, width: int = 1280, scheme: str = "light", **options: Any
) -> Watched:
    context = chrome.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
    return Watched(context, gateway.server.http_url)


def test_a_picture_is_asked_and_its_boxes_are_drawn(chrome: Any, gateway: Gateway, picture: Path) -> None:
    watched = open_page(chrome, gateway)
    watched.go("/models/detector/ask")
    page = watched.page
    page.set_input_files("input[type=file]", picture)
    page.get_by_text("asked as 128 × 96").wait_for()
    page.get_by_role("button", name="Ask detector").click()
    page.get_by_text("2 found").wait_for()
    seen, svg = page.locator(".seen canvas").bounding_box(), page.locator(".seen svg").bounding_box()
    assert seen["width"] == pytest.approx(svg["width"], abs=1) and seen["height"] == pytest.approx(
        svg["height"], abs=1
    )
    assert page.locator(".seen rect").count() == 2
    assert watched.faults == []


@pytest.mark.slow
def test_live_charts_move(chrome: Any, gateway: Gateway) -> None:
    watched = open_page(chrome, gateway)
    watched.go("/")
    watched.page.wait_for_selector("figure .line", state="attached")
    with Client(gateway.server.http_url) as client:
        for _ in range(20):
            client.infer("flowers", {"x": np.ones((1, 4), np.float32)})
    for _ in range(100):
        if watched.page.text_content("[data-tile=rate]") != "0":
            break
        watched.page.wait_for_timeout(100)
    assert watched.page.text_content("[data-tile=rate]") != "0"
    watched.page.wait_for_selector("figure .line")
    chart = watched.page.locator("figure svg[role=img]").first
    chart.focus()
    watched.page.keyboard.press("ArrowLeft")
    assert watched.page.locator(".cross").count() == 1
    assert watched.faults == []


def test_who_must_log_in_sees_a_page_of_full_width(chrome: Any, gateway: Gateway) -> None:
    watched = open_page(chrome, gateway)
    watched.go("/login")
    assert watched.page.evaluate("document.querySelector('main').clientWidth") > 1000
    assert watched.page.get_by_role("link", name="Sardonyx").is_visible()
    assert watched.faults == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_every_page_fits_and_is_accessible(chrome: Any, filled: Gateway, width: int, scheme: str) -> None:
    watched = open_page(chrome, filled, width, scheme)
    complaints = []
    for path in PAGES:
        watched.go(path)
        over = watched.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if watched.page.evaluate("document.querySelector('main').clientWidth") < width / 2:
            complaints.append(f"{path} is squeezed")
        if over > 0:
            complaints.append(f"{path} is {over} pixels too wide")
        if width < 900:
            wide = "e => e.filter(x => x.scrollWidth > x.clientWidth + 1).map(x => x.ariaLabel)"
            found = watched.page.eval_on_selector_all(".scroll:has(table.stacked)", wide)
            complaints += [f"{path}: the table {label} must be scrolled" for label in found]
        complaints += [f"{path}: {fault}" for fault in accessible(watched.page)]
    faults = [fault for fault in watched.faults if "404" not in fault]
    assert not complaints + faults, "\n".join(complaints + faults)


@pytest.mark.slow
def test_a_long_head_of_a_folded_table_has_room(chrome: Any, filled: Gateway) -> None:
    watched = open_page(chrome, filled, 360)
    watched.go("/requests?model=flowers")
    lengthen = "e => { e.dataset.label = 'a.head.of.many.words.'.repeat(4); return e.clientHeight }"
    assert watched.page.eval_on_selector(".stacked tbody td", lengthen) > 60


@pytest.mark.slow
def test_an_answer_is_accessible_too(chrome: Any, gateway: Gateway, picture: Path) -> None:
    watched = open_page(chrome, gateway)
    for path, field in (("/models/detector/ask", "input[type=file]"), ("/models/flowers/ask", "")):
        watched.go(path)
        if field:
            watched.page.set_input_files(field, picture)
            watched.page.get_by_text("asked as").wait_for()
        watched.page.locator("button.main-act").click()
        watched.page.wait_for_selector("#answer .bars")
        assert accessible(watched.page) == []
    watched.go("/models/flowers/profile")
    watched.page.locator("main button.main-act").click()
    watched.page.wait_for_selector("main table")
    assert accessible(watched.page) == []


@pytest.mark.slow
def test_the_keyboard_reaches_everything(chrome: Any, filled: Gateway) -> None:
    watched = open_page(chrome, filled, 360)
    watched.go("/")
    page = watched.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("summary[aria-label=Menu]").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("navigation", name="Places").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("navigation", name="Places").is_visible()


@pytest.mark.slow
def test_colours_are_chosen_and_remembered(chrome: Any, gateway: Gateway) -> None:
    watched = open_page(chrome, gateway)
    watched.go("/")
    light = watched.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    watched.page.get_by_role("button", name="Dark").click()
    watched.go("/models")
    assert watched.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != light


@pytest.mark.slow
def test_sliders_keep_the_sum(chrome: Any, filled: Gateway) -> None:
    watched = open_page(chrome, filled)
    watched.go("/endpoints/garden")
    watched.page.locator("[data-slider]").first.fill("10")
    shares = [
        float(value)
        for value in watched.page.eval_on_selector_all("[data-share]", "e => e.map(x => x.value)")
    ]
    assert shares == [10, 90]
    watched.page.get_by_role("button", name="Set traffic").click()
    watched.page.get_by_text("10 % to blue, 90 % to green").wait_for()


@pytest.mark.slow
def test_forms_work_without_scripts(chrome: Any, gateway: Gateway) -> None:
    watched = open_page(chrome, gateway, java_script_enabled=False)
    watched.go("/models/flowers/ask")
    watched.page.get_by_role("button", name="Ask flowers").click()
    watched.page.wait_for_selector("#answer .bars")


@pytest.mark.slow
def test_netron_draws_the_graph_and_calls_nobody(chrome: Any, gateway: Gateway) -> None:
    watched = open_page(chrome, gateway)
    watched.go("/models/flowers/graph")
    frame = watched.page.frame_locator("iframe")
    frame.get_by_text("MatMul").first.wait_for(timeout=20_000)
    assert [fault for fault in watched.faults if "foreign" in fault] == []
