from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from train.distributed import Ranks

ROOT = Path(__file__).resolve().parents[1]

DRIVER = """
import hashlib, json, signal, sys
from pathlib import Path
import torch
from tests.train_phantoms import phantom_config, phantom_pixels, phantom_records
from train.distributed import processes
from train.loop import fit
from train.signals import Stopped

records = phantom_records()
config = phantom_config(epochs=3)
folder = Path(sys.argv[1])

def digest(tensors):
    return hashlib.sha256(b"".join(each.numpy(force=True).tobytes() for each in tensors)).hexdigest()

with processes(torch.device("cpu")) as ranks:
    def train(**options):
        fitted = fit(config, phantom_pixels(records), records, train_rows=records.rows("train"),
                     val_rows=records.rows("val"), ranks=ranks, **options)
        return digest(fitted.model.parameters()), [row.train_loss for row in fitted.history]

    def ring(step):  # only the second process is asked to stop
        if step == 4 and not ranks.first:
            signal.raise_signal(signal.SIGTERM)

    unbroken = train()
    try:
        train(folder=folder, after_step=ring)
        stopped = False
    except Stopped:
        stopped = True
    resumed = train(folder=folder, resume=True)
    states = sorted(path.name for path in folder.iterdir())
    told = ranks.from_first("first" if ranks.first else "other")
    print(json.dumps({"rank": ranks.rank, "world": ranks.world, "stopped": stopped, "unbroken": unbroken,
                      "resumed": resumed, "states": states, "told": told}), flush=True)
"""


def test_distributed_two_processes_agree_and_one_stopped_goes_on_bit_identically(tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(DRIVER)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        [*launch, str(tmp_path / "driver.py"), str(tmp_path / "states")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = sorted(
        (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")),
        key=lambda said: said["rank"],
    )
    assert first["world"] == second["world"] == 2 and first["told"] == second["told"] == "first"
    assert first["stopped"] and second["stopped"]
    for said in (first, second):
        assert said["resumed"] == said["unbroken"] == first["unbroken"]
    assert any(name.endswith(".safetensors") for name in first["states"])


def test_distributed_alone_there_is_nobody_to_ask() -> None:
    assert Ranks().any(True) and not Ranks().any(False) and Ranks().from_first(3) == 3
