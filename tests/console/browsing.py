"""Chromium as the tests drive it; where it is missing they say so and are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-sync", "--disable-component-update"),
)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with ExitStack() as started:
        fault = ""
        try:
            driver = started.enter_context(sync_api.sync_playwright())
            browser = driver.chromium.launch(executable_path=path, args=list(OPTIONS))
        except Exception as error:
            fault = _why(error)
        if fault:
            pytest.fail(f"{path} does not start: {fault}", pytrace=False)
        yield browser
        browser.close()


def _why(error: Exception) -> str:
    """What a reader can do about a browser that does not start."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0] if resource else -1
    if limit < 0 or limit == resource.RLIM_INFINITY:
        return str(error)
    return (
        f"it reserves far more than the {limit >> 20} MB of addresses that it may have; run the tests of "
        "tests/console with `ulimit -v unlimited`"
    )


def painted(page: Any) -> None:
    """Wait until a page was seen: Chromium drops keys and clicks that come before its first frame."""
    frames = "requestAnimationFrame(() => requestAnimationFrame(seen))"
    page.evaluate(f"() => new Promise(seen => {{ {frames}; setTimeout(seen, 2000); }})")


class Watched:
    """A page that remembers what went wrong on it: errors of scripts, refused content, foreign requests."""

    def __init__(self, context: Any, base: str) -> None:
        self.page = context.new_page()
        self.base = base
        self.faults: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._request)

    def go(self, path: str) -> None:
        """Open a page of the console and wait until it stands still."""
        self.page.goto(f"{self.base}/console{path}", wait_until="load")

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.faults.append(f"foreign request: {request.url}")


def accessible(page: Any) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA on a page, one line a fault."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    # Of rules that hold it would else bring every element, which takes longer than to look for faults.
    options = {"runOnly": {"type": "tag", "values": tags}, "resultTypes": ["violations"]}
    found = axe.Axe().run(page, options=options).response
    return [
        f"{fault['id']}: {fault['help']} at {node['target']}: {node['html'][:160]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]
