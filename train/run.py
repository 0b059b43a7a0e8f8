"""Train and measure: ``python -m train.run labelled.csv --images DIR``.

Labels and images in; a folder out that holds the network, what it predicts, how good it is with intervals, and
a report. For research, not for diagnosis.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp.command import run_command
from nlp.errors import CheckpointError
from train.config import Config
from train.config_check import check
from train.config_file import add_flags, given_flags, read_config, read_run_config
from train.progress import SILENT, Log
from train.run_folder import CONFIG, METRICS, claim, differing_settings, finished, forget_states, refuse_loss

if TYPE_CHECKING:
    from train.cache import Images
    from train.distributed import Ranks
    from train.records import Records
    from train.stages import Trained


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder and what its metrics.json holds."""

    folder: Path
    metrics: dict[str, Any]


def run(
    table: Path,
    images: Path,
    config: Config,
    *,
    out: Path,
    resume: bool = False,
    force: bool = False,
    cache: Path | None = None,
    bootstraps: int = 10_000,
    log: Log = SILENT,
    ranks: Ranks | None = None,
) -> RunResult:
    """Train a network on a labelled table and write the folder of the run.

    Args:
        table: labelled.csv of the contract, with a split.
        images: folder that the image names are below.
        out: the run's folder; made if needed.
        resume: go on with an unfinished run there; a finished one is given back as it is.
        force: replace what is there.
        cache: folder for decoded images; None keeps them in memory only.
        bootstraps: resamples behind each interval.

    Raises:
        ToolkitError: settings, labels, images, weights or a saved state that cannot be used; a message each.
        Stopped: on SIGTERM or Ctrl-C, when the state is saved.
    """
    from train.backbones import create_backbone
    from train.distributed import Ranks
    from train.stages import read_data, train_all
    from train.weights import load_weights

    check(config)
    ranks = ranks or Ranks()
    if resume and finished(out):
        return _finished_before(out, config, log)
    refuse_loss(out, resume=resume, force=force)
    load_weights(create_backbone(config.backbone), config.weights)  # a wrong name must not wait for images
    records, loaded = read_data(table, images, config, cache, log, ranks)
    if ranks.first:
        claim(out, config, force=force)
    ranks.wait()
    trained = train_all(config, loaded.pixels, records, out, resume=resume, log=log, ranks=ranks)
    if not ranks.first:
        return RunResult(out, {})
    log("measuring")
    return RunResult(out, _measured(out, config, records, loaded, trained, bootstraps))


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m train.run labelled.csv --images DIR``."""
    return run_command(_parser(), _command, arguments)


def _finished_before(out: Path, config: Config, log: Log) -> RunResult:
    if problems := list(differing_settings(out, config)):
        raise CheckpointError("\n".join([*problems, "use the same settings, or another --out"]))
    log(f"{out} is finished already")
    return RunResult(out, json.loads((out / METRICS).read_text(encoding="utf-8")))


def _measured(
    out: Path, config: Config, records: Records, loaded: Images, trained: Trained, bootstraps: int
) -> dict[str, Any]:
    """What metrics.json holds, once all files of the run are written; its saved states are forgotten last."""
    from train.neighbours import keep_neighbours
    from train.prepare import SEGMENTED
    from train.ready import whole_warning
    from train.report import write_report
    from train.results import write_results
    from train.run_lungs import keep_lungs

    if config.crop == SEGMENTED:
        keep_lungs(out, Path(config.segmenter), records.images, loaded)
    fitted, logits, folds = trained
    metrics = write_results(
        out,
        config,
        records,
        fitted,
        logits,
        folds,
        warnings=[whole_warning(config.crop) if whole else "" for whole in loaded.whole],
        bootstraps=bootstraps,
        quality=loaded.confidence,
    )
    keep_neighbours(out, fitted.model, loaded.pixels, records)
    write_report(out, records)
    forget_states(out)
    return metrics


# ---- the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.run",
        description="Train a network on labelled images and say how good it is. For research, not for diagnosis.",
        epilog="Several GPUs: torchrun --nproc-per-node N -m train.run …",
    )
    add = parser.add_argument
    add("table", type=Path, metavar="labelled.csv", help="labels with a split, see annotate.split")
    add("--images", type=Path, required=True, metavar="DIR", help="folder with the images")
    add("--out", type=Path, metavar="DIR", help="folder of the run (default: runs/BACKBONE-MODE-SEED)")
    add("--config", type=Path, metavar="FILE", help="settings as TOML, such as config.toml of another run")
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="go on with an unfinished run, by its own settings"
    )
    again.add_argument("--force", action="store_true", help="replace the run in --out")
    add(
        "--cache",
        type=Path,
        metavar="DIR",
        help="decoded images are kept here (default: .cache beside --out)",
    )
    add_flags(parser)
    return parser


def _command(options: argparse.Namespace) -> None:
    from train.devices import choose_device
    from train.distributed import processes
    from train.summary import summary

    config = _settings(options)
    out = options.out or _default_out(config)
    cache = options.cache or out.parent / ".cache"
    with processes(choose_device(config.device)) as ranks:
        result = run(
            options.table,
            options.images,
            config,
            out=out,
            resume=options.resume,
            force=options.force,
            cache=cache,
            log=Log(sys.stderr) if ranks.first else SILENT,
            ranks=ranks,
        )
        if ranks.first:
            print(summary(result.metrics, result.folder))


def _settings(options: argparse.Namespace) -> Config:
    """The recipe, the file and the flags; a run that goes on brings its own settings (``run`` checks the flags)."""
    given = given_flags(options)
    if options.resume and options.config is None:
        out = options.out or _default_out(read_config(None, given))
        if (out / CONFIG).exists():
            return replace(read_run_config(out / CONFIG), **given)
    return read_config(options.config, given)


def _default_out(config: Config) -> Path:
    return Path("runs") / f"{Path(config.backbone).name}-{config.mode}-{config.seed}"


if __name__ == "__main__":
    sys.exit(main())
