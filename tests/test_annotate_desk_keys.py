"""Keys of the desk: one press, one decision; undo; every key may be changed."""

from __future__ import annotations

from playwright.sync_api import Browser

from annotate.store import Store
from benchmarks.desk_browser import Server, at_rest, open_desk
from tests.desk_tools import (
    FINDINGS,
    all_saved,
    cell,
    current,
    decisions,
    leave,
    needs_chromium,
    opened,
    queued,
    record_id,
    shown,
)

pytestmark = needs_chromium


def test_desk_confirms_with_one_key(server: Server, browser: Browser, desk_store: Store) -> None:
    page = open_desk(browser, server, "one key")
    first = shown(page)
    page.keyboard.press("a")
    assert shown(page) != first
    all_saved(page)
    (kept,) = decisions(desk_store, "one key")
    assert (kept.record_id, kept.action) == (first, "confirm")
    assert "" not in [kept.labels[key] for key in FINDINGS]
    assert "1 done" in page.inner_text(".progress-words")
    leave(page)


def test_desk_keeps_every_key_of_a_burst_and_one_of_a_held_key(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "burst")
    for _ in range(20):
        page.keyboard.press("a")
        page.wait_for_timeout(30)
    all_saved(page)
    kept = decisions(desk_store, "burst")
    assert len({each.record_id for each in kept}) == len(kept) == 20
    at_rest(page)
    page.keyboard.down("a")
    for _ in range(15):
        page.keyboard.down("a")  # the browser repeats a key that is held
        page.wait_for_timeout(33)
    page.keyboard.up("a")
    all_saved(page)
    assert len(decisions(desk_store, "burst")) == 21
    leave(page)


def test_desk_undoes_any_number_back_even_after_a_reload(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "undo")
    records = [shown(page)]
    for _ in range(3):
        page.keyboard.press("a")
        records.append(shown(page))
    page.keyboard.press("u")
    assert shown(page) == records[2]
    page.keyboard.press("Backspace")
    assert shown(page) == records[1]
    all_saved(page)
    assert current(desk_store, "undo") == 1
    page.reload()
    at_rest(page)
    page.keyboard.press("u")
    page.wait_for_function(f"document.querySelector('.desk').dataset.record === '{records[0]}'")
    all_saved(page)
    assert current(desk_store, "undo") == 0
    at_rest(page)
    page.keyboard.press("a")
    all_saved(page)
    assert current(desk_store, "undo") == 1
    leave(page)


def test_desk_undo_brings_back_what_stood_before_no_lesion(server: Server, browser: Browser) -> None:
    page = open_desk(browser, server, "no lesion")
    first, before = shown(page), [cell(page, key) for key in FINDINGS]
    assert set(before) != {"0"}
    page.keyboard.press("x")
    page.keyboard.press("u")
    assert (shown(page), [cell(page, key) for key in FINDINGS]) == (first, before)
    all_saved(page)
    leave(page)


def test_desk_changes_findings_covid_flag_and_comment(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "changes", record=str(record_id(desk_store, "fig06.jpg")))
    page.wait_for_function("document.querySelector('.title').textContent === 'fig06.jpg'")
    assert cell(page, FINDINGS[0]) == "1"
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("Shift+Digit4")
    page.keyboard.press("v")
    page.keyboard.press("f")
    page.keyboard.press("t")
    page.keyboard.type("axu 123 no keys here")
    page.keyboard.press("Escape")
    assert [cell(page, key) for key in FINDINGS] == ["0", "1", "1", "-1", ""]
    page.keyboard.press("a")
    all_saved(page)
    (kept,) = decisions(desk_store, "changes")
    assert [kept.labels[key] for key in FINDINGS] == ["0", "1", "1", "-1", "0"]
    assert (kept.labels["covid19"], kept.flagged, kept.comment) == ("0", True, "axu 123 no keys here")
    leave(page)


def test_desk_keys_can_be_changed_and_switched_off(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "own keys")
    first = shown(page)
    page.keyboard.press("?")
    page.locator("[data-action=confirm] .key").click()
    page.keyboard.press("z")
    page.wait_for_function("document.querySelector('dialog [data-action=confirm] .key').textContent === 'Z'")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    assert shown(page) == first
    page.keyboard.press("z")
    assert shown(page) != first
    page.get_by_role("button", name="Keys on").click()
    second = shown(page)
    page.keyboard.press("z")
    assert shown(page) == second
    all_saved(page)
    page.wait_for_timeout(300)
    page.reload()
    at_rest(page)
    assert page.get_by_role("button", name="Keys off").count() == 1
    assert page.inner_text(".decisions [data-action=confirm] kbd") == "Z"
    leave(page)


def test_desk_takes_no_key_from_elsewhere_nor_a_bracket_for_a_digit(server: Server, browser: Browser) -> None:
    page = open_desk(browser, server, "elsewhere")
    first, before = shown(page), cell(page, FINDINGS[4])
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("Patient", exact=True).click()
    page.evaluate("document.activeElement.blur()")
    page.locator('[data-testid="stPopoverBody"]').evaluate("(body) => { body.tabIndex = -1; body.focus(); }")
    page.keyboard.press("a")
    assert shown(page) == first
    page.evaluate("""() => document.body.dispatchEvent(new KeyboardEvent('keydown', {
        key: '[', code: 'Digit5', modifierAltGraph: true, bubbles: true, cancelable: true }))""")
    assert (shown(page), cell(page, FINDINGS[4])) == (first, before)
    leave(page)


def test_desk_takes_nothing_back_from_a_record_that_is_only_looked_at(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "visits")
    first = shown(page)
    page.keyboard.press("a")
    second = shown(page)
    all_saved(page)
    opened(page, first)
    opened(page, second)
    assert first not in queued(page)
    opened(page, first)
    page.keyboard.press(" ")
    assert shown(page) == second
    all_saved(page)
    assert [each.action for each in decisions(desk_store, "visits")] == ["confirm"]
    page.keyboard.press("u")  # looked at again, it can still be undone
    assert shown(page) == first
    all_saved(page)
    assert current(desk_store, "visits") == 0
    leave(page)
