"""Diagnose: drop pictures, see what a run says of them. For research, not for diagnosis."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import streamlit as st

from nlp.errors import ImageError, ToolkitError
from nlp.markdown import literal
from train.archives import forget_archives
from train.dicom_frames import forget_frames
from train.pages.diagnose_batch import BATCH, batch, shown_name
from train.pages.diagnose_picture import picture
from train.run_folder import METRICS, finished_runs
from train.summary import DISCLAIMER

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from train.diagnosis import Diagnosis, Reading
    from train.image_paths import Chosen

Keep = Callable[[bytes], bool]
_READING = "diagnose_reading"


def page(runs: Path, *, images: Path | None = None, keep: Keep | None = None) -> None:
    """Draw the page.

    Args:
        runs: folder with runs at any depth, or one run.
        images: folder with training images, to show similar ones.
        keep: takes a picture as PNG into the queue of Annotate; gives whether it is new.
    """
    st.title("Diagnose", anchor=False)
    st.warning(
        f"**{DISCLAIMER}** A map shows where a network looks, not that it is right.",
        icon=":material/science:",
    )
    if not (found := finished_runs(runs)):
        st.info(f"There is no finished run in {literal(str(runs))}; python -m train.run makes one.")
        return
    left, right = st.columns([1, 2])
    chosen = left.selectbox("Run", found, format_func=lambda run: _name(run, runs))
    files = right.file_uploader(
        "Pictures like those of the run: images, DICOM files, or zip archives of them",
        accept_multiple_files=True,
    )
    if not files:
        st.session_state.pop(_READING, None)
        st.session_state.pop(BATCH, None)
        st.caption("Nothing that is dropped here is kept, unless you give it yourself.")
    try:
        network = _network(chosen, (chosen / METRICS).stat().st_mtime_ns)  # before anything is dropped
        if files:
            with _on_disk(files) as folder:
                _answer(network, folder, (str(chosen), *(file.file_id for file in files)), images, keep)
    except ToolkitError as error:
        st.error(literal(str(error)))


@st.cache_resource(max_entries=2, show_spinner="Loading the network")
def _network(run: Path, _changed: int) -> Diagnosis:
    from train.diagnosis import Diagnosis

    return Diagnosis(run)


def _name(run: Path, runs: Path) -> str:
    return run.resolve().name if run == runs else str(run.relative_to(runs))


@contextmanager
def _on_disk(files: Sequence[UploadedFile]) -> Iterator[Path]:
    """The uploads in a folder of their own for as long as they are read, each under a number and its plain name."""
    with tempfile.TemporaryDirectory() as place:
        for number, file in enumerate(files):
            below = Path(place) / f"{number:05d}"
            below.mkdir()
            (below / _plain(file.name)).write_bytes(file.getbuffer())
        try:
            yield Path(place)
        finally:
            forget_archives()
            forget_frames()


def _plain(name: str) -> str:
    """A file name that leads nowhere; its suffix says what is tried."""
    plain = "".join(each if each.isalnum() or each in " ._-%()" else "_" for each in Path(name).name)
    return plain.lstrip(".") or "image"


def _answer(
    network: Diagnosis, folder: Path, key: tuple[str, ...], images: Path | None, keep: Keep | None
) -> None:
    from train.image_paths import chosen_images

    named = sorted(folder.glob("*/*"))  # named one by one, so that none is passed over
    chosen = chosen_images(named)
    place = 0
    if len(chosen) > 1:
        place = batch(network, chosen, folder, key)
    st.subheader(literal(shown_name(chosen[place], folder)), anchor=False)
    try:
        reading = _reading(network, chosen[place], (*key, str(place)))
    except ImageError as error:
        st.error(literal(str(error).replace(f"{folder}/", "")[len("00000/") :]))
        return
    picture(reading, images)
    if keep is not None:
        _give(reading, keep, f"{key}{place}")


def _reading(network: Diagnosis, chosen: Chosen, key: tuple[str, ...]) -> Reading:
    """The last answer is kept while its files stay, so that a move of the slider does not ask the network again."""
    kept = st.session_state.get(_READING)
    if kept is None or kept[0] != key:
        kept = st.session_state[_READING] = (key, network.read(chosen))
    return cast("Reading", kept[1])


def _give(reading: Reading, keep: Keep, key: str) -> None:
    with st.expander("Give this picture to those who label", icon=":material/volunteer_activism:"):
        st.write(
            "The grey picture alone joins the queue of Annotate, without its file name and without DICOM tags. "
            "Letters printed on the picture stay: look at it."
        )
        agreed = st.checkbox("I may give this picture, and I do.", key=f"agreed{key}")
        nobody = st.checkbox("Nothing on it says whose it is.", key=f"nobody{key}")
        if st.button("Give it", disabled=not (agreed and nobody), key=f"give{key}"):
            new = keep(reading.plain())
            st.success("It is in the queue." if new else "It was in the queue already.")
