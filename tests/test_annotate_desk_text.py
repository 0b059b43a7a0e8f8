"""The words on the desk: mentions and why they are there, marked words, and hard captions."""

from __future__ import annotations

import time

import sqlalchemy as sa
from playwright.sync_api import Browser

from annotate.store import Store
from annotate.store_tables import MENTION, PROPOSAL
from benchmarks.desk_browser import Server, open_desk
from tests.desk_tools import (
    FINDINGS,
    LONG,
    PATIENCE,
    SCRIPT,
    all_saved,
    cell,
    decisions,
    leave,
    needs_chromium,
    record_id,
)

pytestmark = needs_chromium
TIMED = """(act) => {
    const desk = document.querySelector('.desk-mount').desk;
    const from = performance.now();
    new Function('desk', act)(desk);
    desk.root.offsetHeight; // lay out
    return performance.now() - from;
}"""


def test_desk_mentions_say_why_and_chips_follow_them(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "mentions", record=str(record_id(desk_store, "fig06.jpg")))
    page.wait_for_function("document.querySelector('.title').textContent === 'fig06.jpg'")
    finding = "crazy_paving"
    marks = page.locator(f"mark[data-finding={finding}]")
    marks.nth(1).click()
    why = page.inner_text(".why-words")
    assert "resolved" in why and "disappear" in why
    assert page.locator(".cue").count() >= 1
    assert cell(page, finding) == "1"
    marks.nth(0).click()
    page.keyboard.press("n")
    assert cell(page, finding) == "0"  # resolved and negated
    page.keyboard.press("m")
    assert cell(page, finding) == "-1"
    page.keyboard.press("d")
    assert cell(page, finding) == "0"
    page.keyboard.press("a")
    all_saved(page)
    (kept,) = decisions(desk_store, "mentions")
    assert [m["assertion"] for m in kept.mentions if m["finding"] == finding] == ["resolved"]
    assert "text" not in kept.mentions[0]
    leave(page)


def test_desk_keeps_that_the_only_mention_was_deleted(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    few = sa.select(MENTION.c.record_id).group_by(MENTION.c.record_id).having(sa.func.count() == 1)
    with desk_store.read() as connection:
        record = connection.scalar(few.order_by(MENTION.c.record_id).limit(1))
    page = open_desk(browser, server, "deletes", record=str(record))
    page.locator(".caption mark").first.click()
    page.keyboard.press("d")
    assert page.locator(".caption mark").count() == 0
    page.keyboard.press("a")
    all_saved(page)
    assert [each.mentions for each in decisions(desk_store, "deletes")] == [[]]
    page.goto(f"{server.url}/annotate?user=deletes&record={record}")
    page.wait_for_selector(f'.desk[data-record="{record}"]', timeout=PATIENCE * 1000)
    assert page.locator(".caption mark").count() == 0
    leave(page)


def test_desk_adds_a_mention_from_marked_words_and_offers_it(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "marks", record=str(record_id(desk_store, "script.png")))
    page.wait_for_function("document.querySelector('.title').textContent === 'script.png'")
    page.evaluate("""() => {
        const text = document.querySelector('.caption').firstChild;
        const range = document.createRange();
        const start = text.data.indexOf('Ground');
        range.setStart(text, start); range.setEnd(text, start + 'Ground glass 🫁 seen'.length);
        getSelection().removeAllRanges(); getSelection().addRange(range);
        document.querySelector('.caption').dispatchEvent(new MouseEvent('mouseup', { bubbles: true }));
    }""")
    page.get_by_label("offer these words to the lexicon").check()
    page.locator(".finding-button").first.click()
    assert cell(page, FINDINGS[0]) == "1"
    page.wait_for_function("document.querySelector('.stage-note').textContent.includes('cannot')")
    page.keyboard.press("a")
    assert "cannot be shown" in page.inner_text(".notices")  # there is no such image: it takes a second press
    page.keyboard.press("a")
    page.wait_for_function("document.querySelector('.title').textContent !== 'script.png'")
    all_saved(page)
    (kept,) = decisions(desk_store, "marks")
    (mention,) = kept.mentions
    assert SCRIPT[mention["start"] : mention["end"]] == "Ground glass 🫁 seen"
    with desk_store.read() as connection:
        (offered,) = connection.execute(sa.select(PROPOSAL).where(PROPOSAL.c.annotator == "marks"))
    assert (offered.phrase, offered.finding) == ("Ground glass 🫁 seen", FINDINGS[0])
    leave(page)


def test_desk_saves_a_decision_though_offered_words_are_refused(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    record = record_id(desk_store, "fig06.jpg")
    page = open_desk(browser, server, "refused words", record=str(record))
    page.wait_for_selector(f".desk[data-record='{record}']")
    page.evaluate("document.querySelector('.desk-mount').desk.addMention('covid19', 'present', 0, 5, true)")
    page.keyboard.press("a")
    page.wait_for_selector(".notice.held", timeout=PATIENCE * 1000)
    assert f"Words of record {record} for the lexicon" in page.inner_text(".notice.held")
    page.wait_for_selector(".save-light[data-unsaved='0']", timeout=PATIENCE * 1000)
    assert len(decisions(desk_store, "refused words")) == 1
    page.get_by_role("button", name="Drop mine").click()
    all_saved(page)
    leave(page)


def test_desk_shows_markup_as_text_and_long_captions_quickly(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "hard", record=str(record_id(desk_store, "script.png")))
    page.wait_for_function("document.querySelector('.title').textContent === 'script.png'")
    assert page.inner_text(".caption") == SCRIPT
    assert page.evaluate("window.hacked") is None
    long_id = record_id(desk_store, "long.png")
    page.evaluate(f"document.querySelector('.desk-mount').desk.open({long_id})")
    page.wait_for_function(f"document.querySelector('.desk').dataset.record === '{long_id}'")
    assert len(page.inner_text(".caption")) >= len(LONG.strip())
    # a mention redraws the text, a chip does not; the tight limit is measured in benchmarks/
    assert page.evaluate(TIMED, "desk.choose(3)") < 3000
    assert page.evaluate(TIMED, "desk.edit((work) => work.toggle(work.keys[0]))") < 300
    leave(page)


def test_desk_server_writes_no_caption_into_its_log(server: Server, browser: Browser) -> None:
    time.sleep(0.2)
    log = server.log.read_text(encoding="utf-8", errors="replace")
    assert "script" not in log and "Traceback" not in log
