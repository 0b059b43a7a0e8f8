"""Split and export: sets that cannot leak, with live coverage, and files out of the database."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from annotate.app_settings import settings
from annotate.coverage import Amount, coverage
from annotate.coverage_html import coverage_html
from annotate.export_data import Data, read_data
from annotate.groups import read_pairs
from annotate.lexicon_versions import active_lexicon
from annotate.pages.common import get_store, require
from annotate.pages.export_section import export_section, refusal
from annotate.pages.look_again import FRESH_SECONDS, look_again
from annotate.people import role_of
from annotate.split import RATIOS, Division, split
from annotate.split_report import sentences, uncovered
from annotate.split_store import Choice, last_choice, use_split
from annotate.store import Store
from nlp.errors import ToolkitError
from nlp.lexicon import load_lexicon


def page() -> None:
    """Draw the page."""
    store, name = get_store(), require("annotator")
    st.title("Split and export", anchor=False)
    data = _data(store)
    if data is None:
        return
    _overview(data)
    st.header("Split", anchor=False)
    _split_section(store, data, name)
    st.header("Export", anchor=False)
    with store.read() as connection:
        role = role_of(connection, name)
    if role == "adjudicator":
        with store.read() as connection:
            lexicon = active_lexicon(connection, store.findings)
        export_section(data, lexicon)
    else:
        st.info(
            "Files hold what everybody said: adjudicators get them here, so that readings stay independent."
        )


def _data(store: Store) -> Data | None:
    """What the database holds now, without the check for leaks, which the export section does."""
    try:
        looked, data = _read(store, store.url)
    except ToolkitError as error:
        refusal("There is nothing to split or export yet.", error)
        return None
    look_again(looked, _read.clear)
    return data


@st.cache_resource(ttl=FRESH_SECONDS, max_entries=2, show_spinner="Reading the labels")
def _read(_store: Store, url: str) -> tuple[float, Data]:
    return time.time(), read_data(_store, images=settings().images, check=False)


def _overview(data: Data) -> None:
    reviewed = int((data.table["review"] != "auto").sum())
    numbers = {
        "Records": len(data.table),
        "Patients": data.table["patient_id"].nunique(),
        "Reviewed by people": reviewed,
        "Patients without a set": data.unsplit,
    }
    for column, (title, number) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(title, f"{number:,}", border=True)


def _split_section(store: Store, data: Data, name: str) -> None:
    controls, bars = st.columns([1, 2], gap="large")
    with controls:
        choice = _choice(store, name)
    if choice is None:
        return
    try:
        division = _divide(data, store.url, data.database.last_event, choice)
    except ToolkitError as error:
        with bars:
            refusal("This split is refused.", error)
        return
    amounts = coverage(division, load_lexicon().findings)
    with bars:
        _bars(amounts, division)
    with controls:
        _use(store, data, division, choice, name)


def _choice(store: Store, name: str) -> Choice | None:
    with store.read() as connection:
        last, role = last_choice(connection), role_of(connection, name)
    had = last.choice if last else Choice(RATIOS)
    whole = [round(100 * ratio / sum(had.ratios)) for ratio in had.ratios]
    first, second = st.slider(
        "Train, val and test in %",
        0,
        100,
        (whole[0], whole[0] + whole[1]),
        help="The left handle ends train, the right one begins test; val lies between them.",
    )
    ratios = (float(first), float(second - first), float(100 - second))
    st.markdown("train **{:g}** · val **{:g}** · test **{:g}**".format(*ratios))
    seed = st.number_input("Seed", 0, value=had.seed, help="Chooses among equally good divisions.")
    upload = st.file_uploader(
        "Images to keep together",
        type=["csv", "parquet"],
        help="A table with image_a and image_b, such as near_duplicates.csv; their patients share a set.",
    )
    again = st.checkbox(
        "Divide everybody anew",
        disabled=role != "adjudicator",
        help="Otherwise who has a set stays in it. Only an adjudicator may: results on the old test set stop counting.",
    )
    try:
        pairs = _pairs(upload.name, upload.getvalue()) if upload else []
    except ToolkitError as error:
        refusal("The table of images to keep together cannot be used.", error)
        return None
    together = tuple(dict.fromkeys([*had.keep_together, *pairs]))
    if together:
        st.caption(f"Pairs of images kept together: {len(together):,}")
    return Choice(ratios, int(seed), together, again)


def _pairs(name: str, content: bytes) -> list[tuple[str, str]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"pairs{Path(name).suffix.lower()}"
        path.write_bytes(content)
        return read_pairs(path)


@st.cache_resource(max_entries=8, show_spinner="Looking for the best division")
def _divide(_data: Data, url: str, version: int, choice: Choice) -> Division:
    return split(
        _data.table,
        _data.findings,
        ratios=choice.ratios,
        seed=choice.seed,
        keep_together=choice.keep_together,
        again=choice.again,
    )


def _bars(amounts: tuple[Amount, ...], division: Division) -> None:
    st.caption("A bar reaches its tick where the set holds its share of the patients or records.")
    main = [amount for amount in amounts if amount.kind in ("patients", "finding")]
    st.html(coverage_html(main, "Patients and findings in train, val and test"))
    with st.expander("Images per class, and large sources"):
        others = [amount for amount in amounts if amount not in main]
        st.html(coverage_html(others, "Images and sources in train, val and test"))
    plain = replace(division, kept=0)  # who stays is said beside the button; the bars say what is missing
    missing = set(uncovered(plain))
    st.caption(" · ".join(said for said in sentences(plain) if said not in missing))


def _use(store: Store, data: Data, division: Division, choice: Choice, name: str) -> None:
    changed = (division.table["split"] != data.table["split"]).to_numpy()
    patients = data.table["patient_id"][changed].nunique()
    if st.button("Use this split", type="primary", disabled=not patients, icon=":material/check:"):
        try:
            with store.write() as connection:
                written = use_split(connection, division, choice, actor=name, now=time.time())
        except ToolkitError as error:
            refusal("Nothing was changed.", error)
            return
        st.session_state["split_used"] = written
        _read.clear()
        st.rerun()
    if patients:
        kept = data.table["patient_id"].nunique() - patients
        st.caption(f"{patients:,} patients would get a set, {kept:,} stay where they are.")
    elif used := st.session_state.pop("split_used", None):
        st.success(f"{used.placed:,} patients got a set; {used.moved:,} of them had another before.")
    else:
        st.caption("Everybody has a set, and stays in it." + _made(data))


def _made(data: Data) -> str:
    if data.split is None:
        return ""
    ratios = "/".join(f"{ratio:g}" for ratio in data.split.ratios)
    return f" Last divided {data.split.time[:10]}: {ratios}, seed {data.split.seed}."
