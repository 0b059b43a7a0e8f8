"""The image on the desk: seen before a record is confirmed, boxes, and images that fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from annotate.store import Store
from benchmarks.desk_browser import Server, at_rest, open_desk
from tests.desk_tools import (
    FINDINGS,
    PATIENCE,
    all_saved,
    decisions,
    leave,
    needs_chromium,
    opened,
    record_id,
    seen,
    shown,
)

pytestmark = needs_chromium


def test_desk_draws_a_box_in_pixels_of_the_file(server: Server, browser: Browser, desk_store: Store) -> None:
    page = open_desk(browser, server, "boxes", record=str(record_id(desk_store, "fig06.jpg")))
    seen(page)
    page.wait_for_timeout(300)
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    page.keyboard.press("k")
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 2 + 80, stage["y"] + stage["height"] / 2 + 60, steps=3)
    page.mouse.up()
    assert page.locator("rect.box").count() == 1
    page.keyboard.press("a")
    all_saved(page)
    (kept,) = decisions(desk_store, "boxes")
    (box,) = kept.boxes
    with Image.open(Path(__file__).parents[1] / "examples" / "images" / "fig06.jpg") as image:
        width, height = image.size
    scale = min(stage["width"] / width, stage["height"] / height)
    assert box["left"] == pytest.approx(width / 2, abs=2) and box["top"] == pytest.approx(height / 2, abs=2)
    assert box["right"] - box["left"] == pytest.approx(80 / scale, abs=1)
    leave(page)


def test_desk_draws_boxes_of_findings_and_inside_the_image_only(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "no boxes")
    seen(page)
    page.wait_for_timeout(300)
    kinds = page.evaluate("""() => {
        const desk = document.querySelector('.desk-mount').desk;
        const { record } = desk.current;
        const labels = Object.fromEntries(Object.keys(record.labels).map((key) => [key, '']));
        const mentions = [{ ...record.mentions[0], finding: 'covid19' }];
        return new desk.current.constructor({ ...record, labels, mentions }, desk.rules).finding;
    }""")
    assert kinds == FINDINGS[0]
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    for _ in range(8):
        page.keyboard.press("-")
    page.keyboard.press("k")
    page.mouse.move(stage["x"] + 5, stage["y"] + 5)
    page.mouse.down()
    page.mouse.move(stage["x"] + 30, stage["y"] + 30, steps=3)
    page.mouse.up()
    assert page.locator("rect.box").count() == 0
    leave(page)


def test_desk_hides_an_image_until_it_lies_where_it_belongs(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
    page.route("**/image/*", lambda _: None)  # they wait until this ends
    page.goto(f"{server.url}/annotate?user=slow")
    page.wait_for_selector(".desk[data-record]", timeout=PATIENCE * 1000)
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('.canvas').style.visibility") == "hidden"
    page.unroute("**/image/*")
    page.wait_for_function(
        "document.querySelector('.canvas').style.visibility === ''", timeout=PATIENCE * 1000
    )
    stage, image = (page.locator(each).bounding_box() for each in (".stage", ".canvas img"))
    assert stage is not None and image is not None
    middles = [box["x"] + box["width"] / 2 for box in (stage, image)]
    assert middles[0] == pytest.approx(middles[1], abs=2)
    leave(page)


def test_desk_confirms_nothing_before_its_image_is_on_screen(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
    page.route("**/image/*", lambda _: None)  # they wait until this ends
    page.goto(f"{server.url}/annotate?user=hasty")
    page.wait_for_selector(".desk[data-record]", timeout=PATIENCE * 1000)
    first = shown(page)
    page.keyboard.press("a")
    page.keyboard.press("x")
    assert shown(page) == first
    assert page.locator(".notice").count() == 1
    assert "still being loaded" in page.inner_text(".notices")
    page.keyboard.press("f")
    page.keyboard.press(" ")
    assert shown(page) != first
    all_saved(page)
    (kept,) = decisions(desk_store, "hasty")
    assert (kept.record_id, kept.action, kept.flagged) == (first, "skip", True)
    leave(page)


def test_desk_says_why_an_image_failed_tries_it_again_and_asks_twice(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    record = record_id(desk_store, "script.png")
    page = open_desk(browser, server, "no image", record=str(record))
    page.wait_for_function(
        "document.querySelector('.stage-note').textContent.includes('not in the image folder')"
    )
    page.keyboard.press("1")
    page.keyboard.press("a")
    assert shown(page) == record
    page.keyboard.press("a")
    assert shown(page) != record
    all_saved(page)
    (kept,) = decisions(desk_store, "no image")
    assert [kept.labels[key] for key in FINDINGS[:2]] == ["1", ""]  # nobody saw that the others are absent
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.route("**/image/*", lambda route: route.abort())
    page.goto(f"{server.url}/annotate?user=no+image")
    at_rest(page)
    first = shown(page)
    while sum(f"/image/{first}?" in url for url in failed) < 4:  # asked for twice, and twice why it failed
        page.wait_for_timeout(100)
    page.wait_for_function("document.querySelector('.stage-note').textContent.includes('cannot be reached')")
    page.unroute("**/image/*")
    page.keyboard.press("a")
    assert shown(page) == first
    seen(page)
    page.keyboard.press("a")
    assert shown(page) != first
    leave(page)


def test_desk_places_moves_and_deletes_a_box_with_keys(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "box keys", record=str(record_id(desk_store, "fig06.jpg")))
    seen(page)
    page.get_by_role("button", name="Keys on").click()  # a box needs no single keys
    page.locator(".image-tools [data-action=box]").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    before = page.evaluate("document.querySelector('.desk-mount').desk.stage.ghost")
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Keys off").click()
    step = page.evaluate("Math.round(8 / document.querySelector('.desk-mount').desk.stage.view.scale)")
    placed = {
        "finding": before["finding"],
        "left": before["left"] + step,
        "top": before["top"] - step,
        "right": before["right"] + 3 * step,
        "bottom": before["bottom"] - 2 * step,
    }
    assert "with 1 box" in (page.get_attribute(".stage", "aria-label") or "")
    page.keyboard.press("o")
    for _ in range(400):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("a")
    all_saved(page)
    (kept,) = decisions(desk_store, "box keys")
    width = placed["right"] - placed["left"]
    assert kept.boxes == [{**placed, "left": 0, "right": width}]  # at the edge it stops, whole
    page.keyboard.press("u")
    page.keyboard.press("o")
    page.keyboard.press("d")
    assert page.locator("rect.box").count() == 0
    page.keyboard.press("k")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("a")  # confirming keeps what is in hand
    all_saved(page)
    assert decisions(desk_store, "box keys")[-1].boxes == [before]
    leave(page)


def test_desk_looks_around_a_zoomed_image_with_keys_and_scrolls_the_text(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "arrows", record=str(record_id(desk_store, "fig06.jpg")))
    seen(page)
    view = "() => ({ ...document.querySelector('.desk-mount').desk.stage.view })"
    whole = page.evaluate(view)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(view) == whole
    for _ in range(4):
        page.keyboard.press("+")
    zoomed = page.evaluate(view)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    moved = page.evaluate(view)
    assert moved["x"] < zoomed["x"] and moved["y"] < zoomed["y"]
    opened(page, record_id(desk_store, "long.png"))
    page.locator(".caption").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('.caption').scrollTop > 0")
    leave(page)
