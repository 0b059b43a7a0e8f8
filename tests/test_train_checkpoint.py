from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp.errors import CheckpointError
from train.checkpoint import State, load_newest, refuse_differences, remove_states, save_state


def state(step: int) -> State:
    generator = torch.Generator().manual_seed(step)
    return State(
        step, {"weights": torch.rand(40, generator=generator), "counter": torch.tensor(step)}, {"note": "a", "n": [1, 2]}
    )  # fmt: skip


def same(found: State | None, wanted: State) -> bool:
    return found is not None and found.step == wanted.step and found.facts == wanted.facts and all(
        torch.equal(found.tensors[name], tensor) for name, tensor in wanted.tensors.items()
    )  # fmt: skip


def silent(text: str) -> None:
    raise AssertionError(text)


def test_checkpoint_saved_then_loaded_is_the_same(tmp_path: Path) -> None:
    save_state(tmp_path / "new", state(3))
    assert same(load_newest(tmp_path / "new", silent), state(3))


def test_checkpoint_nothing_saved_is_nothing_to_load(tmp_path: Path) -> None:
    assert load_newest(tmp_path, silent) is None


def test_checkpoint_keeps_the_last_two(tmp_path: Path) -> None:
    for step in range(5):
        save_state(tmp_path, state(step))
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
        f"state-0000000{step}.safetensors" for step in (3, 4)
    ]
    assert len(list(tmp_path.iterdir())) == 4


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_checkpoint_damaged_anywhere_gives_way_to_the_one_before(
    tmp_path: Path, place: float, bit: int, cut: bool
) -> None:
    for step in (1, 2):
        save_state(tmp_path, state(step))
    newest = tmp_path / "state-00000002.safetensors"
    content = np.frombuffer(newest.read_bytes(), dtype=np.uint8).copy()
    at = int(place * len(content))
    content[at] ^= 1 << bit
    newest.write_bytes(content[:at].tobytes() if cut else content.tobytes())
    said: list[str] = []
    assert same(load_newest(tmp_path, said.append), state(1))
    assert len(said) == 1 and newest.name in said[0] and "going back to state-00000001" in said[0]


def test_checkpoint_all_damaged_is_refused(tmp_path: Path) -> None:
    for step in (1, 2):
        save_state(tmp_path, state(step))
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="nothing to resume from"):
        load_newest(tmp_path, silent)


def test_checkpoint_each_differing_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        refuse_differences({"epochs": (15, 20), "seed": (0, 1)}, tmp_path)
    assert "epochs: 15 then, 20 now" in str(caught.value) and "seed: 0 then, 1 now" in str(caught.value)


def test_checkpoint_removed_states_leave_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save_state(folder, state(1))
    (folder / ".state-00000002.safetensors.tmp").touch()
    remove_states(folder)
    assert not folder.exists()
