"""Made-up records and logits for the tests of measuring: no files, no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.lexicon import load_lexicon
from train.records import Records

KEYS = tuple(finding.key for finding in load_lexicon().findings)
GGO, CSLD, CRPA, AIRBR, SEPTAL = KEYS
NAN = float("nan")
DIAGNOSES = ("normal", "pneumonia", "lung cancer")


def make_records(
    covid19: Sequence[float],
    cells: Sequence[Sequence[float]] | NDArray[np.floating] | None = None,
    *,
    findings: Sequence[Sequence[float]] | NDArray[np.floating] | None = None,
    captioned: Sequence[bool] | None = None,
    patients: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    diagnoses: Sequence[str] | None = None,
    paths: Sequence[Path] | None = None,
) -> Records:
    """Records whose blanks mean what the contract says by default; positives are captioned, one patient each."""
    n = len(covid19)
    flags = np.array(covid19, dtype=np.float32)
    literal = np.full((n, len(KEYS)), np.nan, np.float32) if cells is None else np.array(cells, np.float32)
    read = flags == 1 if captioned is None else np.array(captioned, dtype=bool)
    targets = (
        np.where(np.isnan(literal) & read[:, None], 0, literal) if findings is None else np.array(findings)
    )
    names = [f"image-{place:03}.png" for place in range(n)]
    return Records(
        images=tuple(names),
        paths=tuple(paths or map(Path, names)),
        patient_ids=tuple(patients or (f"p{place}" for place in range(n))),
        sources=("article",) * n,
        diagnoses=tuple(diagnoses or ("covid-19" if flag == 1 else "normal" for flag in flags)),
        splits=tuple(splits or ("test",) * n),
        covid19=flags,
        findings=np.where(targets == -1, np.nan, targets).astype(np.float32),
        finding_cells=literal,
        captioned=read,
        finding_keys=KEYS,
    )


def random_records(n: int = 300, *, seed: int = 0) -> Records:
    """Patients with about two images each, split 60/15/25, rare findings in positives only."""
    generator = np.random.default_rng(seed)
    patients = generator.integers(0, n // 2, n)
    covid19 = (patients % 2).astype(np.float32)
    shares = np.array([0.6, 0.25, 0.1, 0.1, 0.1])
    cells = np.where((generator.random((n, 5)) < shares) & (covid19 == 1)[:, None], 1, np.nan)
    sets = np.array(["train", "val", "test"])[np.searchsorted([0.6, 0.75], patients * 0.61803 % 1)]
    named = np.where(covid19 == 1, "covid-19", np.array(DIAGNOSES)[patients % 3])
    return make_records(
        covid19.tolist(),
        cells,
        patients=[f"p{patient:03}" for patient in patients],
        splits=sets.tolist(),
        diagnoses=named.tolist(),
    )


def random_logits(records: Records, *, seed: int = 1, gain: float = 2.0) -> NDArray[np.float32]:
    """Logits (n, 1 + F) that know something of the labels."""
    generator = np.random.default_rng(seed)
    known = np.nan_to_num(np.column_stack([records.covid19, records.findings])) - 0.5
    return (gain * known + generator.normal(size=known.shape)).astype(np.float32)
