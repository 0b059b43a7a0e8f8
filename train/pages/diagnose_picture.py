"""What a run says of one picture, on the Diagnose page: numbers, similar images, maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from nlp.errors import ImageError
from nlp.image_names import ImageFolder
from nlp.markdown import literal

if TYPE_CHECKING:
    from train.diagnosis import Frequency, Output, Reading


def picture(reading: Reading, images: Path | None) -> None:
    """Draw it; ``images`` is the folder of the training images."""
    if reading.warning:
        st.warning(
            f"Out of the ordinary: {literal(reading.warning)}. Do not believe the numbers.",
            icon=":material/warning:",
        )
    left, right = st.columns(2, gap="medium")
    with left:
        st.table([_row(each) for each in reading.outputs], hide_index=True)
        st.caption(
            "Called from the run's operating point, chosen on val; of classes, the most probable one. Observed: of so many "
            "test images with about this probability, the part that was positive; a finding's are captioned COVID-19 "
            "images alone. The 95 % interval counts patients, not images; a wide one means that nobody knows."
        )
        _similar(reading.similar, images)
    with right:
        opaque = st.slider("Opacity of the maps", 0, 100, 60, 5, format="%d %%") / 100
        columns = st.columns(3)
        for place, each in enumerate(reading.outputs):
            empty = "" if (reading.maps[place] > 0).any() else " (empty map)"
            columns[place % 3].image(
                reading.overlay(place, opaque),
                caption=literal(f"{each.name} {each.probability:.2f}{empty}"),
                width="stretch",
            )


def _row(output: Output) -> dict[str, str]:
    found = output.frequency
    return {
        "output": literal(output.name),
        "probability": f"{output.probability:.2f}",
        "called": "yes" if output.called else "no",
        "from": "the most probable" if output.threshold is None else f"{output.threshold:.2f}",
        "observed": "not measured" if found is None else _percent(found),
        "images (patients)": "" if found is None else f"{found.n} ({found.n_patients})",
    }


def _percent(found: Frequency) -> str:
    observed, low, high = (f"{100 * each:.0f}" for each in (found.observed, found.low, found.high))
    return f"{observed} % ({low}–{high})"


def _similar(names: Sequence[str], images: Path | None) -> None:
    if not names:
        return
    st.markdown("**Most similar training images**")
    folder = ImageFolder(images) if images and images.is_dir() else None
    files = [_file(name, folder) for name in names]
    for column, name, file in zip(st.columns(len(names)), names, files, strict=True):
        if file is None:
            column.caption(literal(name))
        else:
            column.image(file, caption=literal(name), width="stretch")


def _file(name: str, images: ImageFolder | None) -> bytes | None:
    from train.diagnosis import encoded
    from train.image_forms import read_grey

    if images is None:
        return None
    try:
        path, _ = images.look_up(name, suggest=False)
        return encoded(read_grey(path)) if path else None
    except ImageError:
        return None
