"""Tables of the training page: settings from the code, figures from ``benchmarks/results/*.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from docs.figures import NOT_MEASURED, result_of, table
from train.paper_table import TABLE_METRICS

NOT_PUBLISHED = "Not measured yet."


def settings_table() -> str:
    """Every field of ``Config`` with its default, what it may be and what it means."""
    from train.config import Config

    rows = [
        (f"`{each.name}`", f"`{_toml(each.default)}`", _allowed(each.metadata), each.metadata["help"])
        for each in fields(Config)
        if each.name != "augmentation"
    ]
    return table(("setting", "default", "allowed", "meaning"), rows)


def augmentation_table() -> str:
    """Every field of ``Augmentation`` with its default."""
    from train.augment import Augmentation

    rows = [
        (f"`{each.name}`", f"`{_toml(each.default)}`", each.metadata["help"]) for each in fields(Augmentation)
    ]
    return table(("`[augmentation]`", "default", "meaning"), rows)


def recipes_table() -> str:
    """What each recipe changes."""
    from train.recipes import RECIPES

    rows = [
        (f"`{name}`", ", ".join(_differences(changed)) or "the defaults") for name, changed in RECIPES.items()
    ]
    return table(("recipe", "differs in"), rows)


def shortcuts_table() -> str:
    """The groups of file features behind the no-network baseline."""
    from train.file_features import GROUPS

    return table(("features", "made of"), [(f"`{name}`", meaning) for name, meaning in GROUPS.items()])


def published_table(root: Path, *, beginnings: tuple[str, ...] = ("",), without: str = "\n") -> str:
    """Results on published data whose name begins so and lacks a word: what, n, AUC with its interval, and a note."""
    found = result_of(root, "published")
    if found is None:
        return NOT_PUBLISHED
    chosen = [
        row for row in found["rows"] if row["what"].startswith(beginnings) and without not in row["what"]
    ]
    rows = [_published_row(row) for row in chosen]
    return table(("what", "n", "AUC (95 % interval)", "note"), rows)


def table2_table(root: Path) -> str:
    """The paper's backbones on phantoms, which shows that they run and not how good they are."""
    found = result_of(root, "table2")
    if found is None:
        return NOT_MEASURED
    rows = [
        (
            f"`{row['backbone']}`",
            row["mode"],
            *(f"{row[name]['value']:.2f}" for name in TABLE_METRICS),
            row["note"],
        )
        for row in found["rows"]
    ]
    return _with_versions(table(("backbone", "mode", *TABLE_METRICS, "note"), rows), found)


def data_path_table(root: Path) -> str:
    """Images per CPU-second before the network."""
    found = result_of(root, "data_path")
    if found is None:
        return NOT_MEASURED
    rows = [
        (images, way, f"{rate:,.0f}", f"{rate / rates['plain']:.1f}")
        for images, rates in found["rates"].items()
        for way, rate in rates.items()
    ]
    return _with_versions(table(("images", "way", "images per CPU-second", "× plain"), rows), found)


def epoch_table(root: Path) -> str:
    """CPU-seconds of an epoch in each way."""
    found = result_of(root, "epoch")
    if found is None:
        return NOT_MEASURED
    rows = [
        (backbone, way, f"{seconds:.1f}", "" if way == "decode once" else f"{ways['plain'] / seconds:.2f}")
        for backbone, ways in found["cpu_seconds"].items()
        for way, seconds in ways.items()
    ]
    header = ("backbone", f"way, {found['records']} images", "CPU-seconds", "plain / this")
    return _with_versions(table(header, rows), found)


def ordinary_table(root: Path) -> str:
    """How many pictures of each kind get a warning."""
    found = result_of(root, "out_of_distribution")
    if found is None:
        return NOT_MEASURED
    rows = [
        (kind, str(each["n"]), f"{each['warned'] / each['n']:.1%}", f"{each['far'] / each['n']:.1%}")
        for kind, each in found["kinds"].items()
    ]
    return _with_versions(table(("pictures", "n", "warned", "by features alone"), rows), found)


def bootstrap_table(root: Path) -> str:
    """Seconds of a bootstrap."""
    found = result_of(root, "bootstrap")
    if found is None:
        return NOT_MEASURED
    rows = [
        ("vectorised, drawing included", f"{found['vectorised_seconds']:.3f}"),
        ("loop over scikit-learn", f"{found['loop_seconds']:.1f}"),
    ]
    header = (f"{found['resamples']:,} AUCs of {found['records']} records", "seconds")
    return _with_versions(table(header, rows), found)


def attention_table(root: Path) -> str:
    """How well maps point on phantoms, and how soon they come."""
    found = result_of(root, "attention")
    if found is None:
        return NOT_MEASURED
    parts = []
    if phantoms := found.get("phantoms"):
        chosen = phantoms["chosen_on_val"]
        measured = phantoms["methods"][chosen]["test"]
        lines = {f"`{key}`": each for key, each in measured["findings"].items()}
        lines |= {f"flag, {_MODES[name]}": each for name, each in measured["flag"].items()}
        lines |= {"flag, LA-DNN − baseline": measured["margin"]}
        measures = ("images", "points in", "or near", "energy inside", "IoU")
        rows = [
            (name, str(each["near"]["images"]), *map(_mean, _pointing(each))) for name, each in lines.items()
        ]
        parts.append(table((f"`{chosen}`, chosen on val", *measures), rows))
    if speed := found.get("speed"):
        rows = [(name, *_speeds(each)) for name, each in speed.items()]
        header = ("six Grad-CAM++ maps of an image", "CPU-seconds", "pytorch-grad-cam", "times faster")
        parts.append(table(header, rows))
    return _with_versions("\n\n".join(parts), found)


_MODES = {"ladnn": "LA-DNN", "baseline": "baseline"}


def _pointing(measured: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (measured[name] for name in ("inside", "near", "energy", "iou"))


def _mean(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]["low"], found["interval"]["high"]
    return f"{found['value']:.2f}" if low is None else f"{found['value']:.2f} ({low:.2f}–{high:.2f})"


def _speeds(found: Mapping[str, Any]) -> tuple[str, str, str]:
    ours = f"{found['seconds'] / found['images']:.3f}"
    if "peer_seconds" not in found:
        return ours, "", ""
    return ours, f"{found['peer_seconds'] / found['images']:.3f}", f"{found['times_faster']:.1f}"


def _published_row(row: Mapping[str, Any]) -> Sequence[str]:
    spread = "" if row.get("low") is None else f" ({row['low']:.3f}–{row['high']:.3f})"
    return str(row["what"]), str(row["n"]), f"{row['auc']:.3f}{spread}", str(row.get("note") or "")


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _allowed(metadata: Mapping[str, Any]) -> str:
    if metadata["choices"]:
        return ", ".join(f"`{choice}`" for choice in metadata["choices"])
    low, high = metadata["low"], metadata["high"]
    if math.isinf(low):
        return ""
    return f"from {low:g}" if math.isinf(high) else f"{low:g} to {high:.10g}"  # a seed's limit in full


def _differences(changed: Mapping[str, Any]) -> Iterator[str]:
    for name, value in changed.items():
        if isinstance(value, Mapping):
            inner = ", ".join(_differences(value))
            yield f"{name} off but for {inner}"
        else:
            yield f"`{name} = {_toml(value)}`"


def _with_versions(text: str, found: Mapping[str, Any]) -> str:
    if not (machine := found.get("machine")):
        return text
    versions = {"Python": machine["python"], **found.get("versions", {})}
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{text}\n\n{machine['processor']}, {said}."
