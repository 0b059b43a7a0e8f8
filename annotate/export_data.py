"""What an export is written from: settled labels, marks and people, read in one snapshot and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from annotate.export_marks import Marks, read_marks
from annotate.export_people import People, read_people
from annotate.image_sizes import image_size
from annotate.manifest import Database, ImageListing, SplitMade, counts_of, image_listing, utc
from annotate.settled import settled_labels
from annotate.split import check_split
from annotate.split_store import LastChoice, last_choice
from annotate.store import Store
from annotate.store_tables import EVENT, RECORD, SCHEMA_VERSION
from annotate.tables import check_labels
from nlp.errors import ContractError, ImageError, StoreError

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Data:
    """A snapshot of the database, fit to be exported.

    Attributes:
        table: the columns of the contract, by image.
        files: path of each image below ``folder``, where it is known.
        unsettled: findings on which annotators disagree and nobody has settled, by image.
        unsplit: patients without a set.
        pairs: images whose patients must share a set.
        reviewed_only: records that no person reviewed were left out.
    """

    findings: tuple[str, ...]
    table: pd.DataFrame
    marks: Marks
    people: People
    unsettled: Mapping[str, list[str]]
    split: SplitMade | None
    pairs: Pairs
    folder: Path | None
    files: Mapping[str, str]
    unsplit: int
    reviewed_only: bool
    database: Database

    def checked(self, *, reviewed_only: bool = False) -> Data:
        """The same, fit to be exported.

        Raises:
            ContractError: a patient, or images to keep together, lie in two sets (patients are named); cells
                that break the contract; or nobody has reviewed a record.
        """
        check_split(self.table, self.pairs)
        check_labels(self.table, self.findings, "the table of the database")
        if not reviewed_only:
            return self
        kept = self.table["review"] != "auto"
        if not kept.any():
            raise ContractError("no record is reviewed yet: confirm some, or export all of them")
        table = self.table[kept].reset_index(drop=True)
        images = set(table["image"])
        mentions = self.marks.mentions
        marks = replace(
            self.marks,
            mentions=mentions[mentions["image"].isin(images)].reset_index(drop=True),
            boxes={image: boxes for image, boxes in self.marks.boxes.items() if image in images},
        )
        return replace(self, table=table, marks=marks, reviewed_only=True)

    def counts(self) -> dict[str, object]:
        """What the manifest counts."""
        edited = {"edited_by_people": self.marks.edited, "edited_by_several": self.marks.several}
        mentions = {
            "mentions": len(self.marks.mentions),
            **edited,
            "boxes": sum(map(len, self.marks.boxes.values())),
        }
        return {**counts_of(self.table, self.findings), "marks": mentions}

    def listing(self) -> ImageListing | None:
        """The image files, or None where no folder is known."""
        if self.folder is None or not self.folder.is_dir():
            return None
        return image_listing([self.files.get(image, image) for image in self.table["image"]], self.folder)

    def size_of(self, image: str) -> tuple[int, int]:
        """Width and height of an image in pixels.

        Raises:
            ImageError: it cannot be found or read.
        """
        if self.folder is None:
            raise ImageError(f"image {image!r}: boxes are exported in percent, so the image folder is needed")
        return image_size(self.folder, self.files.get(image, image))


def read_data(
    store: Store,
    *,
    images: Path | None = None,
    keep_together: Pairs = (),
    reviewed_only: bool = False,
    check: bool = True,
) -> Data:
    """Read everything in one snapshot, and refuse what would leak.

    Args:
        images: image folder; by default the one that was loaded last.
        keep_together: pairs of images whose patients must share a set, beside those of the last split.
        check: off, and ``Data.checked`` is to be called before anything is exported.

    Raises:
        ContractError: as ``Data.checked``.
        StoreError: the database holds no record, or fails.
    """
    with store.read() as connection:
        settled = settled_labels(connection, store.findings)
        if settled.table.empty:
            raise StoreError(
                f"database {store.url} holds no record: load a table first, with python -m annotate.load"
            )
        # sorted here: the collation of a server is its own
        table = settled.table.sort_values("image", ignore_index=True)
        last = last_choice(connection)
        cells = zip(settled.unsettled["image"], settled.unsettled["finding"], strict=True)
        data = Data(
            findings=store.findings,
            table=table,
            marks=read_marks(connection, table["image"].tolist()),
            people=read_people(connection, store.findings),
            unsettled=_by_image(cells),
            split=_split_made(last) if last else None,
            pairs=(*keep_together, *(last.choice.keep_together if last else ())),
            folder=images or store.image_folder(),
            files=_files(connection),
            unsplit=int(table["patient_id"][table["split"] == ""].nunique()),
            reviewed_only=False,
            database=Database(store.identity(), SCHEMA_VERSION, last_event(connection)),
        )
    return data.checked(reviewed_only=reviewed_only) if check else data


def last_event(connection: sa.Connection) -> int:
    """The number of the last event, 0 before the first: it grows with every change of the database."""
    return connection.scalar(sa.select(sa.func.max(EVENT.c.id))) or 0


def _split_made(last: LastChoice) -> SplitMade:
    choice = last.choice
    return SplitMade(
        by=last.actor,
        time=utc(last.created),
        seed=choice.seed,
        ratios=choice.ratios,
        again=choice.again,
        keep_together=len(choice.keep_together),
    )


def _by_image(cells: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for image, finding in cells:
        found.setdefault(image, []).append(finding)
    return found


def _files(connection: sa.Connection) -> dict[str, str]:
    rows = connection.execute(sa.select(RECORD.c.image, RECORD.c.file).where(RECORD.c.file.is_not(None)))
    return {row.image: row.file for row in rows}
