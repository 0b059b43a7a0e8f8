"""One epoch: its order of records, its steps, and what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nlp.errors import TrainingError
from train.config import Config
from train.devices import GraphedStep
from train.distributed import Ranks
from train.optimizer import set_rates
from train.progress import Log
from train.records import FloatArray, IntArray, Records
from train.schedule import rate_factor
from train.selection import EpochRow, Judge
from train.step import Data, Step, batches
from train.training import Training


class Epoch:
    """The steps of the running epoch, and its row when they are done."""

    def __init__(
        self,
        config: Config,
        training: Training,
        data: Data,
        records: Records,
        train_rows: IntArray,
        ranks: Ranks,
        log: Log,
    ) -> None:
        self._config, self._training, self._data, self._ranks, self._log = config, training, data, ranks, log
        self._covid19, self._train_rows = records.covid19, train_rows
        network: nn.Module = training.model
        if ranks.world > 1:
            network = DistributedDataParallel(network)
        self.step = Step(config, network, training.optimizer, data, training.loss_sum)
        graphed = GraphedStep(self.step, size=config.batch_size, device=data.device, generator=data.generator)
        # a graph holds neither the exchange between processes nor images in host memory
        self._run: Callable[[Tensor], None] = self.step if ranks.world > 1 or data.on_host else graphed
        self._per_epoch = len(
            list(batches(torch.from_numpy(train_rows), config.batch_size, world=ranks.world))
        )
        if not self._per_epoch:
            raise TrainingError(
                f"{len(train_rows)} training records are too few for {ranks.world} processes: each needs two"
            )

    def steps(self) -> Iterator[None]:
        """Do the steps that the running epoch has left, pausing after each."""
        config, training, ranks = self._config, self._training, self._ranks
        epoch = len(training.history)
        order = epoch_order(config, self._covid19, self._train_rows, epoch).to(self._data.inputs.device)
        rows_of_steps = list(batches(order, config.batch_size, rank=ranks.rank, world=ranks.world))
        done = training.step - epoch * self._per_epoch
        self._images = sum(map(len, rows_of_steps))
        self._here, self._started = sum(map(len, rows_of_steps[done:])), time.monotonic()
        if not done:
            training.loss_sum.zero_()
        self.step.place = f"epoch {epoch + 1}"
        training.model.train()
        for number, rows in enumerate(rows_of_steps[done:], start=done + 1):
            self._prepare()
            self._run(rows)
            training.step += 1
            training.update_average()
            self._log.live(f"epoch {epoch + 1}/{config.epochs}, step {number}/{self._per_epoch}")
            yield

    def epoch_row(self, judge: Judge) -> EpochRow:
        """What the epoch came to; waits for the device."""
        training = self._training
        train_loss = training.loss_sum.item() / self._images
        seconds = time.monotonic() - self._started
        loss, auc = judge(training.model)
        averaged = judge(training.averaged) if training.averaged else (np.nan, np.nan)
        return EpochRow(
            epoch=len(training.history) + 1,
            seconds=seconds,
            train_loss=train_loss,
            val_loss=loss,
            val_auc=auc,
            learning_rate=self._config.learning_rate * self._factor(training.step - 1),
            images_per_second=self._here * self._ranks.world / max(seconds, 1e-9),
            averaged_val_loss=averaged[0],
            averaged_val_auc=averaged[1],
        )

    def _prepare(self) -> None:
        """The learning rate and the random draws of the next step follow from its number alone."""
        step, seed, rank = self._training.step, self._config.seed, self._ranks.rank
        set_rates(self._training.optimizer, self._factor(step))
        self._data.generator.manual_seed(seed_of(seed, 1, rank, step))
        torch.manual_seed(seed_of(seed, 2, rank, step))  # of dropout

    def _factor(self, step: int) -> float:
        config, per_epoch = self._config, self._per_epoch
        warmup = round(config.warmup_epochs * per_epoch)
        return rate_factor(config.schedule, step, total=config.epochs * per_epoch, warmup=warmup)


def seed_of(seed: int, *place: int) -> int:
    """A seed for one place of a run, unlike those of its neighbours."""
    return int(np.random.SeedSequence([seed, *place]).generate_state(1, np.uint64)[0] >> 1)


def epoch_order(config: Config, covid19: FloatArray, train_rows: IntArray, epoch: int) -> Tensor:
    """The rows of an epoch in a random order; with ``balance``, drawn evenly from both classes."""
    generator = torch.Generator().manual_seed(seed_of(config.seed, 3, epoch))
    rows = torch.from_numpy(train_rows)
    if not config.balance:
        return rows[torch.randperm(len(rows), generator=generator)]
    flags = covid19[train_rows]
    weights = np.ones(len(flags))  # records with an unknown flag keep their share
    for value in (0, 1):
        weights[flags == value] = np.isfinite(flags).sum() / max((flags == value).sum(), 1) / 2
    return rows[
        torch.multinomial(torch.from_numpy(weights), len(rows), replacement=True, generator=generator)
    ]
