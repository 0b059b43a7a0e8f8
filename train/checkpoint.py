"""States of an unfinished training: saved whole, checked by sha256, the one before kept.

A state is ``state-STEP.safetensors`` (tensors, and everything else as JSON in its header) with its sha256
beside it. Nothing is unpickled. Of 200 states with one bit flipped, 197 would load without the sum.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from nlp.errors import CheckpointError
from train.sealed import metadata, read_sealed, seal_of, write_sealed

KEPT = 2


@dataclass(frozen=True)
class State:
    """What a training needs to go on.

    Attributes:
        step: steps done; the newest state has most.
        tensors: by name.
        facts: anything that JSON holds.
    """

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def save_state(folder: Path, state: State) -> None:
    """Write a state, then forget all but the last two.

    Raises:
        OutputError: it cannot be written; the states before are intact.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"state-{state.step:08d}.safetensors"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    facts = json.dumps({"step": state.step, "facts": state.facts})
    write_sealed(path, save(tensors, metadata={"facts": facts}))
    for old in _states(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
        seal_of(old).unlink(missing_ok=True)


def has_state(folder: Path) -> bool:
    """Whether a state was ever saved here."""
    return bool(_states(folder))


def load_newest(folder: Path, log: Callable[[str], None]) -> State | None:
    """The newest state that is whole, or None where none was ever saved.

    Args:
        log: is told of a damaged state and which one takes its place.

    Raises:
        CheckpointError: states are there, and all are damaged.
    """
    problems = []
    for path in reversed(_states(folder)):
        try:
            state = _load(path)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            log(f"{problem}: going back to {path.name}")
        return state
    if problems:
        raise CheckpointError("\n".join([*problems, "nothing to resume from: --force starts anew"]))
    return None


def refuse_differences(differences: Mapping[str, tuple[object, object]], folder: Path) -> None:
    """Stop when a run would go on with other settings than it began with.

    Raises:
        CheckpointError: naming each, with both values.
    """
    if differences:
        lines = [f"  {name}: {before!r} then, {now!r} now" for name, (before, now) in differences.items()]
        heading = f"the state in {folder} belongs to other settings:"
        ending = "use the same settings, or --force to start anew"
        raise CheckpointError("\n".join([heading, *lines, ending]))


def remove_states(folder: Path) -> None:
    """Delete all states with what an interrupted write left, and the folder if nothing else is in it."""
    for path in [*folder.glob("state-*"), *folder.glob(".state-*.tmp")]:
        path.unlink(missing_ok=True)
    remove_if_empty(folder)


def remove_if_empty(folder: Path) -> None:
    """Delete a folder that holds nothing."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _load(path: Path) -> State:
    content = read_sealed(path)
    try:
        head = json.loads(metadata(content)["facts"])
        return State(head["step"], load(content), head["facts"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is no state of a training: {error}") from error


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"))
