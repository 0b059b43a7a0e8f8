from __future__ import annotations

import pytest
import torch

from nlp.errors import TrainingError
from train.devices import GraphedStep, arithmetic, autocast, choose_device, choose_precision, place

CPU = torch.device("cpu")


def test_devices_devices_that_are_not_here_are_refused() -> None:
    assert choose_device("cpu") == CPU
    for name in ("cuda:99", "nonsense", "meta"):
        with pytest.raises(TrainingError, match="auto"):
            choose_device(name)


def test_devices_precision_is_as_asked() -> None:
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    fast = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    assert choose_precision("auto", CPU) == (torch.bfloat16 if fast else torch.float32)


def test_devices_autocast_follows_the_precision() -> None:
    weights, images = torch.ones(2, 2), torch.ones(2, 2)
    for precision in (torch.float32, torch.bfloat16):
        with autocast(CPU, precision):
            assert (images @ weights).dtype == precision


def test_devices_without_a_gpu_a_step_runs_as_written() -> None:
    seen: list[list[int]] = []
    step = GraphedStep(
        lambda rows: seen.append(rows.tolist()), size=2, device=CPU, generator=torch.Generator()
    )
    for rows in ([0, 1], [2, 3], [4]):
        step(torch.tensor(rows))
    assert seen == [[0, 1], [2, 3], [4]]


def test_devices_images_stay_where_they_are_on_a_cpu() -> None:
    pixels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    with arithmetic(deterministic=True):
        assert place(pixels, CPU) is pixels


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_devices_a_replayed_step_equals_the_plain_one() -> None:
    device = torch.device("cuda")
    found = []
    for size in (4, 5):  # 5: no batch is full, so that every step runs as written
        generator = torch.Generator(device)
        total = torch.zeros((), device=device)

        def add(
            rows: torch.Tensor, total: torch.Tensor = total, generator: torch.Generator = generator
        ) -> None:
            total.add_((rows * torch.rand(4, generator=generator, device=device)).sum())

        step = GraphedStep(add, size=size, device=device, generator=generator)
        for number in range(8):
            generator.manual_seed(number)
            step(torch.arange(4, device=device) + number)
        found.append(total.item())
    assert found[0] == pytest.approx(found[1])
