"""Where the arithmetic happens: device, precision, and the CUDA graph of a training step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from nlp.errors import TrainingError
from train.distributed import local_rank

GRAPH_WARMUP = 3
"""Steps before a capture: libraries choose their kernels, the optimizer makes its state."""


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes a GPU where there is one, under torchrun the process's own.

    Raises:
        TrainingError: this machine or this PyTorch has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and (local := local_rank()) is not None:
        name = f"cuda:{local}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainingError(f"device must be auto, cpu, cuda or cuda:N; found {name!r}") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise TrainingError(
            f"device {name} is not here ({count} CUDA devices found); use --device auto or cpu"
        )
    if device.type not in ("cpu", "cuda"):
        raise TrainingError(f"device must be auto, cpu, cuda or cuda:N; found {name!r}")
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto`` is bfloat16 where the hardware multiplies it, else float32.

    On a CPU without AMX or AVX512-BF16, bfloat16 autocast was measured 3.7 times slower than float32.
    """
    if name == "float32" or (name == "auto" and not _has_bfloat16(device)):
        return torch.float32
    return torch.bfloat16


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """The context of a forward pass; its cache is off because a CUDA graph could not replay it."""
    enabled = precision != torch.float32
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False)


@contextmanager
def arithmetic(*, deterministic: bool) -> Iterator[None]:
    """TensorFloat-32 for float32 on GPUs, or the same bits every time; the former state comes back."""
    if not torch.cuda.is_available():  # a CPU repeats its bits for the same number of threads
        yield
        return
    matmul = torch.backends.cuda.matmul
    convolution = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = matmul.fp32_precision, convolution.fp32_precision, torch.backends.cudnn.benchmark
    strict = torch.are_deterministic_algorithms_enabled()
    matmul.fp32_precision = convolution.fp32_precision = "ieee" if deterministic else "tf32"
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        matmul.fp32_precision, convolution.fp32_precision, torch.backends.cudnn.benchmark = before
        torch.use_deterministic_algorithms(strict)


def place(pixels: Tensor, device: torch.device) -> Tensor:
    """The images on the device where they fill less than half of what is free there, else in host memory."""
    if device.type != "cuda":
        return pixels
    free, _ = torch.cuda.mem_get_info(device)
    return pixels.to(device) if pixels.nbytes < free / 2 else pixels


class GraphedStep:
    """Replays one recorded step for full batches: a launch per step instead of thousands of kernels.

    The first steps, steps of another size, and all steps off CUDA run as they are written. All tensors that
    ``step`` changes must be changed in place, and it must not wait for the device.

    Args:
        step: takes row numbers (B,) on the device.
        size: rows of a full batch.
        generator: the augmentation's, which the graph must advance as the plain step does.
    """

    def __init__(
        self, step: Callable[[Tensor], None], *, size: int, device: torch.device, generator: torch.Generator
    ) -> None:
        self._step = step
        self._generator = generator
        self._device = device
        self._warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._rows = torch.zeros(size, dtype=torch.long, device=device)

    def __call__(self, rows: Tensor) -> None:
        """Run one step."""
        if self._device.type != "cuda" or len(rows) != len(self._rows):
            self._step(rows)
            return
        self._rows.copy_(rows)
        if self._graph is None and self._warm < GRAPH_WARMUP:
            self._warm += 1
            self._beside(lambda: self._step(self._rows))
            return
        if self._graph is None:
            self._capture()
        assert self._graph is not None
        self._graph.replay()

    def _beside(self, action: Callable[[], None]) -> None:
        """Run on a side stream, as warm-up before a capture must."""
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            action()
        torch.cuda.current_stream(self._device).wait_stream(side)

    def _capture(self) -> None:
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(self._generator)
        with torch.cuda.graph(self._graph):
            self._step(self._rows)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    ask: Callable[[], Mapping[str, object]] = getattr(torch.cpu, "get_capabilities", dict)  # new in 2.11
    capabilities = ask()
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
