"""Checkpoints with one bit flipped, or cut short."""

from __future__ import annotations

import random
from pathlib import Path

import torch

from benchmarks.faults_common import Fault
from train.checkpoint import State, load_newest, save_state


def damaged_checkpoints(folder: Path, *, flips: int, cuts: int, seed: int = 0) -> Fault:
    """Damage the newest of two states at a random place; it must be refused, and the one before offered."""
    chance = random.Random(seed)
    states = [_state(step) for step in (1, 2)]
    for state in states:
        save_state(folder, state)
    newest = folder / "state-00000002.safetensors"
    whole = newest.read_bytes()
    refused = offered = 0
    for number in range(flips + cuts):
        newest.write_bytes(
            _flipped(whole, chance) if number < flips else whole[: chance.randrange(len(whole))]
        )
        said: list[str] = []
        found = load_newest(folder, said.append)
        refused += found is not None and found.step != 2
        offered += found is not None and _same(found, states[0]) and "going back to state-00000001" in said[0]
    return Fault(
        what=f"{flips} single-bit flips and {cuts} truncations of a checkpoint",
        how=f"one bit, or the end, of a file of {len(whole):,} bytes, at random places",
        tried=flips + cuts,
        target=f"{flips + cuts} refused, the previous one offered",
        held=refused == offered == flips + cuts,
        found={"refused": refused, "previous_offered": offered},
    )


def _state(step: int) -> State:
    generator = torch.Generator().manual_seed(step)
    return State(step, {"weights": torch.rand(20_000, generator=generator)}, {"epoch": step})


def _same(one: State, other: State) -> bool:
    equal = (torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())
    return (one.step, one.facts) == (other.step, other.facts) and all(equal)


def _flipped(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(damaged)
