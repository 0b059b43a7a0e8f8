from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.utils._python_dispatch import TorchDispatchMode

from nlp.errors import CheckpointError, TrainingError
from tests.train_phantoms import phantom_config, phantom_pixels, phantom_records
from train.config import Config
from train.inference import predict_logits
from train.loop import Fitted, fit
from train.model import build_model
from train.progress import SILENT
from train.records import Records
from train.signals import Stopped
from train.step import Step, batch_loss, place_data
from train.training import begin

CPU = torch.device("cpu")
RECORDS = phantom_records()
PIXELS = phantom_pixels(RECORDS)


def train(config: Config, records: Records = RECORDS, **options: object) -> Fitted:
    rows = {"train_rows": records.rows("train"), "val_rows": records.rows("val")}
    return fit(config, PIXELS, records, **(rows | options))  # type: ignore[arg-type]


def weights(fitted: Fitted) -> dict[str, torch.Tensor]:
    return fitted.model.state_dict()


def same_weights(one: Fitted, other: Fitted) -> bool:
    return all(torch.equal(tensor, weights(other)[name]) for name, tensor in weights(one).items())


def untimed(fitted: Fitted) -> list[str]:
    """The history without its times, as text, in which NaN equals NaN."""
    return [str(replace(row, seconds=0, images_per_second=0)) for row in fitted.history]


def stop_after(step: int, how: signal.Signals = signal.SIGTERM) -> Callable[[int], None]:
    return lambda done: signal.raise_signal(how) if done == step else None


# ---- learning


def test_loop_learns_what_is_there() -> None:
    config = phantom_config(epochs=10, learning_rate=1e-2)
    fitted = train(config)
    test = RECORDS.rows("test")
    logits = predict_logits(fitted.model, PIXELS[test], device=CPU)
    assert roc_auc_score(RECORDS.covid19[test], logits[:, 0]) > 0.95
    assert fitted.history[-1].train_loss < fitted.history[0].train_loss
    assert logits.shape == (len(test), 1 + len(RECORDS.finding_keys)) and logits.dtype == np.float32


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "baseline"},
        {"loss": "paper"},
        {"loss": "paper", "mode": "baseline"},
        {"precision": "bfloat16"},
    ],
)
def test_loop_trains_in_every_mode(settings: dict[str, object]) -> None:
    config = phantom_config(epochs=1, schedule="cosine", balance=True, **settings)
    before = build_model(
        "test_resnet",
        finding_keys=RECORDS.finding_keys,
        weights="none",
        levels=config.levels,
        pooling=config.pooling,
    ).state_dict()
    lesions = weights(train(config))["lesions.weight"]
    untaught = torch.allclose(lesions, before["lesions.weight"], rtol=0.05)  # but for decay
    assert untaught == (settings.get("mode") == "baseline")


def test_loop_same_seed_same_weights_and_the_global_state_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, other = train(phantom_config()), train(phantom_config())
    assert torch.equal(torch.rand(3), expected)
    assert same_weights(one, other) and untimed(one) == untimed(other)
    assert not same_weights(one, train(phantom_config(seed=1)))


def test_loop_val_loss_is_over_all_records_and_auc_is_the_flags() -> None:
    config = phantom_config(epochs=1, average=False)
    fitted = train(config)
    val = RECORDS.take(RECORDS.rows("val"))
    logits = predict_logits(fitted.model, PIXELS[RECORDS.rows("val")], device=CPU, batch_size=3)
    loss = batch_loss(
        config, torch.from_numpy(logits), torch.from_numpy(val.covid19), torch.from_numpy(val.findings), None
    )
    assert fitted.history[0].val_loss == pytest.approx(float(loss), abs=1e-5)
    assert fitted.history[0].val_auc == pytest.approx(roc_auc_score(val.covid19, logits[:, 0]))


def test_loop_masked_records_are_in_order() -> None:
    covid19 = RECORDS.covid19.copy()
    covid19[::3] = np.nan
    assert train(phantom_config(), replace(RECORDS, covid19=covid19)).history[-1].val_loss < 1


# ---- stopping and going on


@pytest.mark.parametrize(
    ("step", "settings"),
    [(1, {}), (3, {"schedule": "cosine"}), (5, {"average": False, "optimizer": "adam"}), (6, {})],
)
def test_loop_stopped_and_resumed_is_bit_identical(
    tmp_path: Path, step: int, settings: dict[str, object]
) -> None:
    config = phantom_config(epochs=3, **settings)  # 3 steps an epoch
    unbroken = train(config)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped):
        train(config, folder=tmp_path, after_step=stop_after(step))
    assert signal.getsignal(signal.SIGTERM) is before
    resumed = train(config, folder=tmp_path, resume=True)
    assert same_weights(unbroken, resumed) and untimed(unbroken) == untimed(resumed)
    assert (unbroken.best_epoch, unbroken.averaged) == (resumed.best_epoch, resumed.averaged)


@pytest.mark.parametrize("settings", [{}, {"epochs": 9, "patience": 1}])
def test_loop_resumed_after_its_end_gives_the_same_network(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    config = phantom_config(**settings)
    first = train(config, folder=tmp_path)
    steps: list[int] = []
    assert same_weights(first, train(config, folder=tmp_path, resume=True, after_step=steps.append))
    assert not steps


def test_loop_damaged_state_goes_back_to_the_one_before(tmp_path: Path) -> None:
    config = phantom_config(epochs=3)
    unbroken = train(config)
    with pytest.raises(Stopped):
        train(config, folder=tmp_path, save_seconds=0, after_step=stop_after(5))
    newest = max(tmp_path.glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-7])
    assert same_weights(unbroken, train(config, folder=tmp_path, resume=True))


def test_loop_other_settings_or_labels_are_refused_on_resume(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(phantom_config(), folder=tmp_path, after_step=stop_after(1, signal.SIGINT))
    with pytest.raises(CheckpointError, match=r"learning_rate: 0.003 then, 0.1 now"):
        train(phantom_config(learning_rate=0.1), folder=tmp_path, resume=True)
    relabelled = replace(RECORDS, covid19=1 - RECORDS.covid19)
    with pytest.raises(CheckpointError, match="labels and images"):
        train(phantom_config(), relabelled, folder=tmp_path, resume=True)


# ---- what must not happen


def test_loop_a_gradient_that_is_not_finite_never_reaches_the_weights() -> None:
    covid19 = RECORDS.covid19.copy()
    covid19[RECORDS.rows("train")[0]] = np.inf
    records, config = replace(RECORDS, covid19=covid19), phantom_config(batch_size=18)
    rows = records.rows("train")
    training = begin(config, records, rows, PIXELS, CPU, log=SILENT)
    data = place_data(config, PIXELS, records, rows, CPU)
    step = Step(config, training.model, training.optimizer, data, training.loss_sum)
    before = {name: each.detach().clone() for name, each in training.model.named_parameters()}
    with pytest.raises(TrainingError, match="gradient is not finite at step 1"):
        step(torch.from_numpy(rows))
    assert all(torch.equal(before[name], each) for name, each in training.model.named_parameters())
    training.optimizer.step()  # what a GPU does before it is asked: the fused update skips itself
    assert all(torch.equal(before[name], each) for name, each in training.model.named_parameters())


def test_loop_says_in_which_epoch_the_numbers_went_wrong() -> None:
    covid19 = RECORDS.covid19.copy()
    covid19[RECORDS.rows("train")[0]] = np.inf
    with pytest.raises(TrainingError, match=r"epoch 1: the gradient is not finite at step \d"):
        train(phantom_config(), replace(RECORDS, covid19=covid19))


class Waits(TorchDispatchMode):
    """Counts the operations for which a GPU would make the program wait."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_loop_a_step_asks_the_device_nothing_but_the_cpu_check() -> None:
    config, rows = phantom_config(positive_weights=True), RECORDS.rows("train")
    training = begin(config, RECORDS, rows, PIXELS, CPU, log=SILENT)
    step = Step(
        config,
        training.model,
        training.optimizer,
        place_data(config, PIXELS, RECORDS, rows, CPU),
        training.loss_sum,
    )
    step(torch.from_numpy(rows))
    with Waits() as waits:
        step(torch.from_numpy(rows))
    assert waits.count == 1


def test_loop_too_few_records_are_refused() -> None:
    with pytest.raises(TrainingError, match="too few"):
        train(phantom_config(), train_rows=np.array([0]))
