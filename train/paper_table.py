"""Table 2 of the paper, to stand beside what is measured here.

Liu et al. 2020, "Online COVID-19 diagnosis with chest CT images: Lesion-attention deep neural networks",
doi:10.1101/2020.05.11.20097907. Figures in %, of the network alone and with lesion attention. The paper gives one run
each and no intervals; by the size of its test set a 95 % interval on D0 is ±4 to ±6 points.
"""

from __future__ import annotations

from collections.abc import Mapping

DOI = "10.1101/2020.05.11.20097907"
TABLE_METRICS = ("sensitivity", "auc", "f1", "accuracy")
"""The columns of Table 2, in order."""
MERGED = "D0+D1"
"""The paper's larger data set, of which it gives the AUC alone."""

Pair = tuple[float, float]

_D0: Mapping[str, tuple[Pair, Pair, Pair, Pair]] = {
    "vgg16": ((75.5, 84.7), (81.3, 89.8), (74.8, 83.0), (75.4, 83.2)),
    "resnet18": ((71.4, 80.6), (83.0, 88.2), (74.0, 79.8), (75.9, 80.2)),
    "resnet50": ((67.3, 78.6), (87.6, 90.5), (75.9, 83.2), (79.3, 84.7)),
    "densenet121": ((77.6, 79.6), (86.0, 88.7), (80.0, 81.2), (81.3, 82.3)),
    "densenet169": ((77.6, 85.7), (88.2, 91.2), (81.3, 84.8), (82.8, 85.2)),
    "efficientnet_b0": ((68.4, 87.8), (87.7, 90.0), (74.9, 83.9), (77.8, 83.7)),
    "efficientnet_b1": ((70.4, 77.6), (84.1, 87.6), (73.4, 80.0), (75.4, 81.2)),
}
_MERGED_AUC: Mapping[str, Pair] = {
    "vgg16": (92.7, 94.0),
    "resnet18": (93.1, 93.1),
    "resnet50": (91.6, 93.8),
    "densenet121": (92.8, 93.2),
    "densenet169": (93.1, 93.3),
    "efficientnet_b0": (92.0, 92.4),
    "efficientnet_b1": (91.6, 94.7),
}
PAPER_BACKBONES = tuple(_D0)
"""Torchvision's names of the seven backbones."""


def paper_figures(backbone: str, data: str) -> Mapping[str, Pair]:
    """Metric → (baseline, LA-DNN) in %, as far as the paper has them.

    Args:
        data: name of the data set; ``D0+D1`` gives the paper's figures of that, any other name those of D0.
    """
    if data.upper() == MERGED:
        return {"auc": _MERGED_AUC[backbone]} if backbone in _MERGED_AUC else {}
    found = _D0.get(backbone)
    return dict(zip(TABLE_METRICS, found, strict=True)) if found else {}
