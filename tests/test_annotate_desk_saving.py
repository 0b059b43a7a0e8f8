"""Nothing decided at the desk is lost, doubled, overwritten or sent under another name."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from playwright.sync_api import Browser

from annotate.store import Store, open_store
from annotate.store_tables import ASSIGNMENT, RECORD, WORK
from benchmarks.desk_browser import Server, at_rest, open_desk, serving
from tests.desk_tools import (
    FINDINGS,
    PATIENCE,
    all_saved,
    current,
    decisions,
    leave,
    needs_chromium,
    queued,
    record_id,
    shown,
)

pytestmark = needs_chromium


def test_desk_saves_what_was_decided_while_the_server_was_gone(
    example_sqlite: Path, browser: Browser, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copy(example_sqlite, tmp_path / 'labels.db')}"
    with serving(url, tmp_path / "log") as server, closing(open_store(url)) as store:
        page = open_desk(browser, server, "lost")
        server.stop(kill=True)
        for _ in range(5):
            page.keyboard.press("a")
        page.wait_for_selector(".save-light.wait", timeout=PATIENCE * 1000)
        assert page.get_attribute(".save-light", "data-unsaved") == "5"
        assert decisions(store, "lost") == []
        page.wait_for_timeout(7000)  # by now Streamlit has noticed, and would cover the page
        before = shown(page)
        page.keyboard.press("a")
        assert shown(page) != before
        server.start()
        all_saved(page)
        kept = decisions(store, "lost")
        assert len({each.record_id for each in kept}) == len(kept) == 6
        server.stop(kill=True)
        page.keyboard.press("x")
        page.wait_for_timeout(300)
        address = page.url
        page.goto("about:blank")  # the tab is gone before the server is back
        server.start()
        page.goto(address)
        at_rest(page)
        all_saved(page)
        assert len(decisions(store, "lost")) == 7
        leave(page)


def test_desk_undoes_what_was_not_saved_before_a_reload(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "reload")
    page.keyboard.press("a")
    all_saved(page)
    page.route("**/desk/save", lambda route: route.abort())
    last = shown(page)
    page.keyboard.press("a")
    page.reload()
    at_rest(page)
    page.keyboard.press("u")
    page.wait_for_selector(f".desk[data-record='{last}']", timeout=PATIENCE * 1000)
    page.unroute("**/desk/save")
    all_saved(page)
    assert current(desk_store, "reload") == 1
    leave(page)


def test_desk_sends_less_at_once_where_it_is_too_much_and_holds_what_is_too_large(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    captioned = sa.select(RECORD.c.id).where(RECORD.c.caption != "").limit(40)
    with desk_store.read() as connection:
        ids = [*connection.scalars(captioned.order_by(RECORD.c.id.desc()))]
    page = open_desk(browser, server, "much")
    adds = """([ids, mentions, comment]) => {
        const { desk } = document.querySelector('.desk-mount');
        const { labels } = desk.current.operation('confirm', 1);
        const place = { finding: 'covid19', assertion: 'present', start: 0, end: 1, panel: 'x'.repeat(900) };
        for (const id of ids) desk.outbox.add('save', {
            op_id: crypto.randomUUID(), record_id: id, action: 'confirm', labels, boxes: [], base: null,
            mentions: Array(mentions).fill(place), comment: 'x'.repeat(comment), flagged: false });
    }"""
    page.evaluate(adds, [ids, 120, 0])
    all_saved(page)
    assert current(desk_store, "much") == len(ids) == 40
    page.evaluate(adds, [ids[:1], 0, 4_100_000])
    page.wait_for_function("document.querySelector('.notices').textContent.includes('too large')")
    assert len(decisions(desk_store, "much")) == 40
    leave(page)


def test_desk_tells_of_a_conflict_and_keeps_the_work(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    record = str(record_id(desk_store, "fig06.jpg"))
    page = open_desk(browser, server, "twice", record=record)
    other = page.context.new_page()
    other.goto(page.url)
    at_rest(other)
    page.keyboard.press("a")
    all_saved(page)
    other.keyboard.press("x")
    other.wait_for_selector(".notice.held", timeout=PATIENCE * 1000)
    assert len(decisions(desk_store, "twice")) == 1
    other.get_by_role("button", name="Open it with my work").click()
    other.wait_for_selector(f".desk[data-record='{record}']")
    at_rest(other)
    other.keyboard.press("a")
    all_saved(other)
    kept = decisions(desk_store, "twice")
    assert len(kept) == 2 and kept[1].supersedes == kept[0].id
    assert {kept[1].labels[key] for key in FINDINGS} == {"0"}
    leave(page)


def test_desk_sends_nothing_under_another_name(server: Server, browser: Browser, desk_store: Store) -> None:
    page = open_desk(browser, server, "first reader")
    page.route("**/desk/save", lambda route: route.abort())
    page.keyboard.press("a")
    page.wait_for_selector(".save-light.wait")
    page.goto(page.url.replace("first+reader", "second+reader"))
    at_rest(page)
    page.wait_for_selector(".notice")
    assert "1 decision of first reader" in page.inner_text(".notices")
    page.unroute("**/desk/save")
    page.wait_for_timeout(700)
    assert decisions(desk_store, "first reader") == decisions(desk_store, "second reader") == []
    page.goto(page.url.replace("second+reader", "first+reader"))
    at_rest(page)
    all_saved(page)
    assert len(decisions(desk_store, "first reader")) == 1
    leave(page)


def test_desk_fetches_anew_after_a_sleep_longer_than_its_leases(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "sleeper")
    before, here = queued(page), shown(page)
    with desk_store.write() as connection:  # all of it went to somebody else meanwhile
        mine = sa.and_(ASSIGNMENT.c.annotator == "sleeper", ASSIGNMENT.c.record_id.in_(before[:5]))
        connection.execute(ASSIGNMENT.delete().where(mine))
        change = WORK.update().where(WORK.c.record_id.in_(before[:5]))
        connection.execute(change.values(open=0, closed_to="\nsleeper\n"))
    page.evaluate("document.querySelector('.desk-mount').desk.renewedAt -= 1000000")
    page.keyboard.press("+")
    page.wait_for_function(f"document.querySelector('.desk-mount').desk.queue[0].id !== {before[0]}")
    assert not set(queued(page)) & {*before[:5], here}
    leave(page)


def test_desk_hears_of_work_in_another_tab(server: Server, browser: Browser, desk_store: Store) -> None:
    page = open_desk(browser, server, "two tabs")
    other = page.context.new_page()
    other.goto(page.url)
    at_rest(other)
    other.keyboard.press("a")
    done = shown(other)
    other.route("**/desk/save", lambda route: route.abort())
    other.keyboard.press("a")
    page.wait_for_function(
        f"!document.querySelector('.desk-mount').desk.queue.some((work) => work.id === {done})"
    )
    other.close()  # its work is not saved yet
    page.bring_to_front()
    deadline = time.monotonic() + PATIENCE
    while current(desk_store, "two tabs") < 2 and time.monotonic() < deadline:
        page.wait_for_timeout(500)
    assert len(decisions(desk_store, "two tabs")) == 2
    leave(page)


def test_desk_works_where_the_browser_keeps_nothing(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = browser.new_context().new_page()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    page.goto(f"{server.url}/annotate?user=forbidden")
    at_rest(page)
    page.route("**/desk/save", lambda route: route.abort())
    page.keyboard.press("a")
    assert "keeps no more unsaved work" in page.inner_text(".save-light")
    page.unroute("**/desk/save")
    all_saved(page)
    assert page.inner_text(".save-light") == "✓ all saved"
    assert len(decisions(desk_store, "forbidden")) == 1
    leave(page)


def test_desk_tells_of_work_that_became_an_extra_opinion(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    page = open_desk(browser, server, "late")
    records = [shown(page), *queued(page)[:1]]
    with desk_store.write() as connection:  # the lease ended, and others took the seats
        mine = sa.and_(ASSIGNMENT.c.annotator == "late", ASSIGNMENT.c.record_id.in_(records))
        connection.execute(ASSIGNMENT.delete().where(mine))
        connection.execute(WORK.update().where(WORK.c.record_id.in_(records)).values(open=0))
    page.keyboard.press("a")
    page.keyboard.press("a")
    all_saved(page)
    page.wait_for_function("document.querySelector('.notices').textContent.includes('extra opinion')")
    told = page.inner_text(".notices")
    assert f"Records {records[0]}, {records[1]}: kept" in told
    assert page.locator(".notice").count() == 1
    assert current(desk_store, "late") == 2
    leave(page)
