"""What a report says beside its figures: data, settings, warnings, limits."""

from __future__ import annotations

from collections.abc import Iterator

from train.figures_data import class_table, finding_table
from train.report_tables import Table
from train.run_files import Run

LIMITS = (
    "For research, not for diagnosis. Nothing here says how the network does in a clinic.",
    "One slice per image, mostly cut from figures of articles: chosen by authors, resized, compressed, some with arrows"
    " and letters. Hospitals' own images differ.",
    "Classes may come from different sources. Where the file alone tells them apart, a network may have learnt the"
    " source; only images of a source it never saw can show otherwise.",
    "Findings are what captions state. A finding that no author mentions counts as absent.",
    "Intervals resample patients of this data set. They hold what chance in choosing patients does, not other"
    " hospitals, other scanners, or another training with another seed.",
    "An interval from few patients is itself uncertain; one without any width, as of an AUC of exactly 1, means nothing.",
)


def data_tables(run: Run) -> tuple[Table, Table]:
    """Images and patients by class and set; findings by set."""
    groups = class_table(run.records)
    sets = tuple(next(iter(groups.values())))
    classes = tuple(
        (name, *(f"{each.images} ({each.patients})" for each in row.values())) for name, row in groups.items()
    )
    findings = tuple((name, *map(str, row.values())) for name, row in finding_table(run.records).items())
    return (
        Table("Images (patients) by class and set", ("class", *sets), classes),
        Table("Images with each finding stated as present", ("finding", *sets), findings),
    )


def settings_table(run: Run) -> Table:
    """Every setting of the run, and what training came to."""
    training = run.metrics.get("training", {})
    facts = {
        name.replace("_", " "): training[name]
        for name in ("best_epoch", "averaged", "parameters")
        if name in training
    }
    facts |= training.get("versions", {})
    rows = [(name, str(value)) for name, value in {**run.settings, **facts}.items()]
    if run.digest:
        rows.append(("SHA-256 of the weights", run.digest))
    return Table("Settings", ("setting", "value"), tuple(rows))


def image_warnings(run: Run) -> Iterator[str]:
    """How many images have each warning of predictions.csv."""
    for warning, number in sorted(run.warnings.items()):
        yield f"{number} of {len(run.records.images)} images: {warning}."
