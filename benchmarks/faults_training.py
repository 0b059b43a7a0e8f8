"""SIGTERM at random steps of a training, on one process and on several: ``python -m benchmarks.faults_training``.

Run by ``torchrun`` it trains phantoms without a break, then stops and resumes once for each step it is given.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.common import ROOT
from benchmarks.faults_common import Fault
from nlp.errors import ToolkitError

EPOCHS = 5
LAST_STEP = 14
"""The one before the end, in which three steps make an epoch; ranks share each batch."""


def stopped_training(*, ranks: int, steps: int, seed: int = 0) -> Fault:
    """Stop a training at random steps and compare the weights with those of one that ran through."""
    chance = random.Random(seed + ranks)
    chosen = chance.sample(range(1, LAST_STEP + 1), steps)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    command = [*launch, "-m", "benchmarks.faults_training", *map(str, chosen)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ToolkitError(f"the training failed: {done.stderr[-2000:]}")
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    stopped, same = (sum(each[name] for each in said) for name in ("stopped", "same"))
    return Fault(
        what=f"SIGTERM at random steps of a training, {ranks} rank{'s' if ranks > 1 else ''}",
        how="the signal reaches one random rank after the step; then the same command with resume",
        tried=steps,
        target="weights bit-identical to a training that ran through",
        held=stopped == same == steps * ranks,
        found={"steps": chosen, "stopped": stopped, "bit_identical": same, "answers": len(said)},
    )


def worker(steps: Sequence[int]) -> None:
    """One rank: trains, stops, resumes and prints what became of it."""
    import torch

    from tests.train_phantoms import phantom_config, phantom_pixels, phantom_records
    from train.distributed import processes
    from train.loop import fit
    from train.signals import Stopped

    records, config = phantom_records(), phantom_config(epochs=EPOCHS)
    rows = {"train_rows": records.rows("train"), "val_rows": records.rows("val")}
    with processes(torch.device("cpu")) as ranks:

        def train(**options: object) -> str:
            fitted = fit(config, phantom_pixels(records), records, **rows, ranks=ranks, **options)  # type: ignore[arg-type]
            # running statistics of batches are each rank's own; those of the first are saved and evaluated
            tensors = fitted.model.state_dict().values() if ranks.first else fitted.model.parameters()
            return hashlib.sha256(b"".join(each.numpy(force=True).tobytes() for each in tensors)).hexdigest()

        unbroken = train()
        for number, step in enumerate(steps):
            rings = ranks.rank == (step + number) % ranks.world

            def ring(done: int, at: int = step, rings: bool = rings) -> None:
                if rings and done == at:
                    signal.raise_signal(signal.SIGTERM)

            folder = Path(ranks.from_first(mkdtemp(prefix="lesion-labels-") if ranks.first else ""))
            try:
                train(folder=folder, after_step=ring)
                stopped = False
            except Stopped:
                stopped = True
            same = train(folder=folder, resume=True) == unbroken
            print(
                json.dumps({"rank": ranks.rank, "step": step, "stopped": stopped, "same": same}), flush=True
            )


if __name__ == "__main__":
    worker([int(step) for step in sys.argv[1:]])
