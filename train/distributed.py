"""Several processes, one training: ``torchrun --nproc-per-node N -m train.run …``.

What the processes share: the order of records (the same permutation in each), so a step sees the same
``batch_size`` records whatever their number; each takes every N-th of them, and gradients are averaged.
What differs: batch normalisation, random changes and masked means are those of each process's own records,
so weights agree with a single process in distribution, not in bits. Only the first process writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process's number and how many there are."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def any(self, here: bool) -> bool:
        """Whether it is so in some process; every process must ask at the same place."""
        if self.world == 1:
            return here
        said: list[bool] = [False] * self.world
        dist.all_gather_object(said, here, group=_control())
        return any(said)

    def from_first(self, value: T) -> T:
        """The first process's value, in every process."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=_control())
        return box[0]

    def wait(self) -> None:
        """Return once every process is here."""
        self.any(False)


def local_rank() -> int | None:
    """The GPU that torchrun gives this process; None without torchrun."""
    return int(os.environ["LOCAL_RANK"]) if "LOCAL_RANK" in os.environ else None


@contextmanager
def processes(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started; alone, there is nothing to join.

    A second group over gloo carries agreement, so that asking each other never waits for a GPU.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        group = dist.new_group(backend="gloo")
        assert isinstance(group, dist.ProcessGroup)  # this process is a member
        _GROUPS.append(group)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        _GROUPS.clear()
        dist.destroy_process_group()


_GROUPS: list[dist.ProcessGroup] = []


def _control() -> dist.ProcessGroup | None:
    return _GROUPS[-1] if _GROUPS else None
