"""Named sets of settings: the differences of each from the defaults of ``train.config.Config``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "ladnn": {},
    # heads fitted first, all trained together a little: a tenth of the time, for a CPU or a first look
    "head_start": {
        "frozen_norm": True,
        "head_start": 4,
        "epochs": 3,
        "learning_rate": 3e-5,
        "schedule": "cosine",
    },
    # the published code's settings (Liu et al. 2020, LA-DNN), read from the code: the paper gives none
    "paper": {
        "loss": "paper",
        "levels": 1,
        "pooling": "mean",
        "image_size": 224,
        "test_flips": False,
        "dropout": 0.0,
        "crop": "none",
        "normalise": "none",
        "optimizer": "adam",
        "learning_rate": 5e-5,
        "weight_decay": 5e-4,
        "schedule": "constant",
        "warmup_epochs": 0.0,
        "clip_norm": 0.0,
        "select": "loss",
        "average": False,
        "augmentation": {"scale": (0.8, 1.2), "flip": 0.5},
    },
    # Minaee et al. 2020 (Deep-COVID, doi:10.1016/j.media.2020.101794); docs/deep_covid.md says what is whose
    "deep-covid": {
        "backbone": "resnet18",
        "levels": 1,
        "pooling": "mean",
        "frozen_norm": True,
        "trained": "heads",
        "views": 5,
        "dropout": 0.0,
        "mode": "baseline",
        "balance": True,
        "image_size": 224,
        "crop": "none",
        "normalise": "none",
        "epochs": 100,
        "batch_size": 20,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup_epochs": 0.0,
        "clip_norm": 0.0,
        "average": False,
        "test_flips": False,
        "attention": "occlusion",
        "augmentation": {"rotation_degrees": 10.0, "scale": (0.9, 1.1), "flip": 0.5, "noise": 0.02},
    },
    # COVID-19_CXR_AI: radiographs cut to segmented lungs, three channels, named classes; the rest is this toolkit's
    "cxr-ai": {
        "backbone": "resnet34",
        "mode": "baseline",
        "classes": "diagnosis",
        "crop": "segmented",
        "normalise": "none",
        "channels": "cxr3",
        "select": "loss",
    },
}
"""Differences from the defaults; an ``augmentation`` here is complete: what it leaves out is off."""
