"""The tables and sentences of a run, as plain text: the report shows them as HTML, the model card as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from train.finding_facts import finding_names
from train.run_files import OUT_OF_FOLD, Run

NAMES: Mapping[str, str] = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "f1": "F1",
    "accuracy": "Accuracy",
    "average_precision": "Average precision",
    "brier": "Brier score (lower is better)",
}
SET_NAMES: Mapping[str, str] = {"val": "val", "test": "test", OUT_OF_FOLD: "out of fold"}
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """Header and rows of texts of one length; ``note`` stands below."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def question(run: Run) -> str:
    """What was asked of which data, in two sentences."""
    records, settings = run.records, run.settings
    sets = ", ".join(f"{len(records.rows(name))} {name}" for name in ("train", "val", "test"))
    findings = "" if not run.learns_findings else f" and {len(records.finding_keys)} findings"
    return (
        f"Can {settings.get('backbone', 'the network')} (mode {settings.get('mode', NOTHING)}, loss"
        f" {settings.get('loss', NOTHING)}, weights {settings.get('weights', NOTHING)}) tell COVID-19 from controls"
        f"{findings} on single images of the chest? {len(records.images)} images of"
        f" {len(set(records.patient_ids))} patients ({sets}); {_patients_apart(run)}."
    )


def _patients_apart(run: Run) -> str:
    pairs = set(zip(run.records.patient_ids, run.records.splits, strict=True))
    torn = len(pairs) - len({patient for patient, _ in pairs})
    return f"{torn} patients are in more than one set" if torn else "no patient is in two sets"


def headline_table(run: Run) -> Table:
    """The flag's metrics, one column per set, and the file alone beside them."""
    columns = [(SET_NAMES[name], run.metrics[name]["covid19"]) for name in _sets(run)]
    for name in _sets(run):
        if (found := run.metrics.get("shortcut", {}).get("all", {}).get(name)) and name != "val":
            columns.append((f"file alone, {SET_NAMES[name]}", found))
    rows = [(NAMES[metric], *(figure(found, metric) for _, found in columns)) for metric in NAMES] + [
        ("COVID-19 images (patients)", *(_count(found, "positive") for _, found in columns)),
        ("control images (patients)", *(_count(found, "negative") for _, found in columns)),
        ("threshold", *(_threshold(found) for _, found in columns)),
    ]
    note = (
        "95 % intervals: bootstrap over patients. Thresholds come from val and are frozen. 'File alone' is the best of"
        " simple models on format, size, aspect, grey levels and border, without any network."
    )
    return Table("COVID-19", ("", *(name for name, _ in columns)), tuple(rows), note)


def shortcut_table(run: Run) -> Table | None:
    """The no-network baseline by group of features; None where it was not measured."""
    found: Mapping[str, Any] = run.metrics.get("shortcut", {})
    if not found:
        return None
    sets = [name for name in _sets(run) if any(name in each for each in found.values())]
    rows = tuple(
        (group, each["meaning"], *(figure(each.get(name, {}), "auc") for name in sets))
        for group, each in found.items()
    )
    return Table(
        "What the file alone says", ("features", "", *(f"AUC, {SET_NAMES[name]}" for name in sets)), rows
    )


def shortcut_sentence(run: Run) -> str:
    """What the shortcut baseline means for the headline; blank where it was not measured."""
    name = run.headline
    network, file = (each.get("auc") for each in (_flag(run, name), _file(run, name)))
    if network is None or file is None:
        return ""
    seen = _file(run, name, "pixels").get("auc")
    pixels = (
        "" if seen is None else f" ({seen:.3f} by grey levels and border alone, which a network sees too)"
    )
    figures = (
        f"The file alone, without any network, reaches an AUC of {file:.3f} on {SET_NAMES[name]}{pixels};"
    )
    if file >= network:
        return (
            f"{figures} the network's {network:.3f} is no evidence that it reads lungs rather than sources."
        )
    if (_flag(run, name).get("auc_low") or 0) <= 0.5:
        return f"{figures} the network's {network:.3f} is not clearly better than chance, which is 0.5."
    if (_file(run, name).get("auc_low") or 0) > 0.5:
        return f"{figures} part of the network's {network:.3f} may be the source rather than the disease."
    return f"{figures} these features do not explain the network's {network:.3f}."


def findings_table(run: Run) -> Table | None:
    """Each finding over captioned positives, and its output against the flag; None where none was learnt."""
    if not run.learns_findings:
        return None
    name = run.headline
    scores = run.metrics[name]
    keys = run.records.finding_keys
    rows = tuple(
        (
            title,
            f"{scores['findings'][key]['n_positive']} / {scores['findings'][key]['n_negative']}",
            *(figure(scores["findings"][key], metric) for metric in ("auc", "average_precision")),
            *(figure(scores["findings"][key], metric) for metric in ("sensitivity", "specificity")),
            figure(scores["flag_by_finding"][key], "auc"),
        )
        for key, title in zip(keys, finding_names(keys), strict=True)
    )
    header = (
        "finding",
        "present / absent",
        "AUC",
        *(NAMES[each] for each in ("average_precision", "sensitivity")),
    )
    mean = scores["findings_mean"]
    average = (
        "" if mean["auc"] is None else f" Mean AUC over {mean['n_findings']} findings: {mean['auc']:.3f}."
    )
    note = (
        f"On {SET_NAMES[name]}, within captioned COVID-19 images, so that an output which repeats the flag scores"
        f" nothing. The last column is how well the finding's output tells the flag.{average} {NOTHING}: a class is missing."
    )
    return Table("Findings", (*header, NAMES["specificity"], "AUC for the flag"), rows, note)


def cutoff_table(run: Run) -> Table | None:
    """The flag's sensitivity and specificity at fixed probabilities; None where a class is missing."""
    found = _flag(run, run.headline)
    if not found.get("cutoffs"):
        return None
    names = ("sensitivity", "specificity")
    rows = tuple((f"{row['cutoff']:g}", *(figure(row, name) for name in names)) for row in found["cutoffs"])
    note = (
        f"On {SET_NAMES[run.headline]}. COVID-19 is called where the probability is at or above the cut-off, whatever"
        " val says. To look at, not to choose from: a cut-off chosen here is too good."
    )
    header = ("cut-off", *(f"{NAMES[name]} (95 % interval)" for name in names))
    return Table("Sensitivity and specificity at each cut-off", header, rows, note)


def few_patients(run: Run) -> Iterator[str]:
    """A sentence on the figures of the headline set that rest on fewer than ten patients of a class, if any do."""
    scores = run.metrics[run.headline]
    keys = run.records.finding_keys
    outputs = {"COVID-19": scores["covid19"]} | {
        name: scores["findings"][key] for key, name in zip(keys, finding_names(keys), strict=True)
    }
    few = []
    for name, found in list(outputs.items())[: None if run.learns_findings else 1]:
        fewest = min(found["n_patients_positive"], found["n_patients_negative"])
        if 0 < fewest < 10:
            few.append(f"{name} {fewest}")
    if few:
        yield f"Few patients in the smaller class, so that intervals are rough guesses at best: {', '.join(few)}."


def _sets(run: Run) -> list[str]:
    return [name for name in (OUT_OF_FOLD, "test", "val") if name in run.sets and name in run.metrics]


def _flag(run: Run, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = run.metrics[name]["covid19"]
    return found


def _file(run: Run, name: str, group: str = "all") -> Mapping[str, Any]:
    found: Mapping[str, Any] = run.metrics.get("shortcut", {}).get(group, {}).get(name, {})
    return found


def figure(found: Mapping[str, Any], metric: str) -> str:
    """A value with its interval; a dash where there is none."""
    value = found.get(metric)
    if value is None:
        return NOTHING
    low, high = found.get(f"{metric}_low"), found.get(f"{metric}_high")
    return f"{value:.3f} (too few patients)" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _count(found: Mapping[str, Any], kind: str) -> str:
    return f"{found[f'n_{kind}']} ({found[f'n_patients_{kind}']})"


def _threshold(found: Mapping[str, Any]) -> str:
    rule = str(found["threshold_rule"])
    return rule if rule.startswith("each fold") else f"{found['threshold']:.3f}, {rule}"
