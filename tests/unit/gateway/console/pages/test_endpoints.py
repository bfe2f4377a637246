"""What a form of an endpoint becomes: traffic, promotion, canary, and refusals in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.endpoints import EndpointPages, difference_texts
from sardonyx.protocol.records import Endpoint
from tests.unit.gateway.around import entered
from tests.unit.gateway.console.browsing import Browser, visited


def pages(desk: Desk) -> dict[str, Any]:
    made = EndpointPages(desk)
    for version in ("1", "2"):
        assert entered(desk.administration, "digits").version == version
    return {
        "GET /endpoints": made.endpoints,
        "POST /endpoints": made.create,
        "GET /endpoints/{endpoint}": made.endpoint,
        "POST /endpoints/{endpoint}/{act}": made.act,
    }


async def begin(browser: Browser) -> None:
    answer = await browser.submit("/endpoints", name="shop", model="digits", version="1", sticky="x-user")
    assert answer.headers["location"] == "/endpoints/shop", answer.text
    form = {"model": "digits", "version": "2", "name": "green"}
    assert (await browser.submit("/endpoints/shop/deploy", **form)).status_code == 303


def weights(browser: Browser) -> dict[str, float]:
    found: Endpoint = browser.desk.administration.endpoints.endpoint("shop")
    return {d.name: d.weight for d in found.deployments}


def test_traffic_goes_where_the_form_says(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        await begin(browser)
        assert weights(browser) == {"blue": 100, "green": 0}
        await browser.submit("/endpoints/shop/traffic", **{"weight.blue": "25", "weight.green": "75"})
        assert weights(browser) == {"blue": 25, "green": 75}
        await browser.submit("/endpoints/shop/rollback", reason="worse")
        assert weights(browser) == {"blue": 100, "green": 0}
        await browser.submit("/endpoints/shop/promote", deployment="green")
        assert weights(browser) == {"blue": 0, "green": 100}
        await browser.submit("/endpoints/shop/undeploy", deployment="blue")
        assert weights(browser) == {"green": 100}
        page = await browser.get("/endpoints/shop")
        assert page.status_code == 200
        assert "shop" in (await browser.get("/endpoints")).text
        gone = await browser.submit("/endpoints/shop/delete")
        assert gone.headers["location"] == "/endpoints"
        assert (await browser.get("/endpoints/shop")).status_code == 404

    visited(tmp_path, pages, use)


def test_a_canary_has_steps(tmp_path: Path) -> None:
    plan = {
        "deployment": "green",
        "steps": "5, 25 100",
        "minutes": "2",
        "min_requests": "9",
        "max_errors": "1.5",
        "max_ratio": "2",
    }

    async def use(browser: Browser) -> None:
        await begin(browser)
        answer = await browser.submit("/endpoints/shop/canary", **plan)
        assert answer.status_code == 303, answer.text
        canary = browser.desk.administration.endpoints.endpoint("shop").canary
        assert canary is not None
        assert (canary.plan.steps, canary.plan.interval_s, canary.plan.max_error_rate) == (
            (5, 25, 100),
            120,
            0.015,
        )
        assert (await browser.submit("/endpoints/shop/cancel")).status_code == 303
        wrong = await browser.submit("/endpoints/shop/canary", **{**plan, "minutes": "soon"})
        assert (wrong.status_code, wrong.text) == (400, "the minutes: 'soon' is not a number")

    visited(tmp_path, pages, use)


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    asked: list[tuple[str, dict[str, str], int, str]] = [
        ("burn", {}, 404, "'burn' is not an action of an endpoint"),
        ("traffic", {"weight.blue": "much"}, 400, "blue: 'much' is not a number"),
        ("traffic", {"weight.blue": "50"}, 400, ""),
        ("canary", {"deployment": "green", "minutes": "nan"}, 400, "the minutes: 'nan' is not a number"),
        ("canary", {"deployment": "green", "minutes": "inf"}, 400, "the minutes: 'inf' is not a number"),
        ("promote", {"deployment": "red"}, 404, "red"),
        ("deploy", {"model": "none"}, 404, "none"),
    ]

    async def use(browser: Browser) -> None:
        await begin(browser)
        for act, form, status, message in asked:
            answer = await browser.submit(f"/endpoints/shop/{act}", **form)
            assert (answer.status_code, message in answer.text) == (status, True), (act, form, answer.text)
            assert weights(browser) == {"blue": 100, "green": 0}

    visited(tmp_path, pages, use)


def test_what_a_shadow_answered_otherwise_is_said_in_words() -> None:
    far = {"elements": 2, "of": 3, "at": [0, 1], "largest": 0.12591, "served": 0.0407, "shadow": 0.0666666}
    told = difference_texts(
        {
            "chances": far,
            "label": {"elements": 1, "of": 1, "at": [0], "served": 0, "shadow": 1},
            "name": {"elements": 1, "of": 2, "at": [1], "served": "a", "shadow": "b"},
            "scores": {"served": "FP32[1, 3]", "shadow": "FP64[1, 3]"},
            "extra": {"missing_in": "served"},
            "shadow": {"error": "out of memory"},
        }
    )
    assert told == [
        "chances[0, 1]: served 0.0407, shadow 0.0666666 (2 of 3 differ, by 0.126 at most)",
        "label[0]: served 0, shadow 1",
        "name[1]: served a, shadow b (1 of 2 differ)",
        "scores: served FP32[1, 3], shadow FP64[1, 3]",
        "extra is missing in served",
        "shadow failed: out of memory",
    ]


def test_values_that_differ_look_different() -> None:
    for served, shadow in ((1.2301, 1.2325), (1_234_567.0, 1_237_890.0), (5.001, 5.009)):
        (told,) = difference_texts(
            {"y": {"elements": 1, "of": 1, "at": [0], "served": served, "shadow": shadow}}
        )
        first, second = told.removeprefix("y[0]: served ").split(", shadow ")
        assert first != second
