"""A run on several processes: one folder, the numbers of one process, an end when a process ends, and going on."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import DeviceError
from scene_lightning.training.devices import Hardware, trainer_arguments
from scene_lightning.training.launch import check_launch, current_launch
from tests.programs import ROOT, run_program
from tests.soak.test_soak import SCRIPT, differences, state_of

# What processes do by themselves (dropout) is off, statistics are those of all; 36 images in batches of 10.
SMALL = [
    "filters=[4]", "dense=[8]", "dropout=0", "dense_dropout=0", "input_size=24", "batch_size=10", "epochs=3",
    "precision=32-true", "sync_batchnorm=true", "optimizer=sgd", "learning_rate=0.02", "accelerator=cpu",
]  # fmt: skip
WORDS = [word for setting in SMALL for word in ("--set", setting)]
LINES = [line.strip() for line in (ROOT / "docs/reliability.md").read_text().splitlines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    draw_scenes(folder / "scenes", 6, test_per_class=3, predict=1, size=32)
    done = run_program("train", "scenes", "--out", "one", *WORDS, cwd=folder, env=cache(folder))
    assert done.returncode == 0, done.stderr
    return folder


def cache(place: Path) -> dict[str, str]:
    return {"SCENE_LIGHTNING_CACHE": str(place / "cache")}


def printed(start: str) -> list[str]:
    """The words of a command line that docs/reliability.md prints, with this Python, and on the tests' data."""
    (line,) = [line for line in LINES if line.startswith(start)]
    first, *words = line.split()
    launcher = {"torchrun": [sys.executable, "-m", "torch.distributed.run"], "srun": []}[first]
    words = [{"python": sys.executable, "DATA": "scenes"}.get(word, word) for word in words]
    return [*launcher, *words, *WORDS]


def started(words: list[str], place: Path, **env: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **cache(place), **env}
    return subprocess.Popen(
        words, cwd=place, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip


def finished(*processes: subprocess.Popen[str]) -> list[str]:
    """Their outputs; they must have ended well."""
    outputs = [process.communicate(timeout=200) for process in processes]
    for process, (out, err) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, out + err
    return [out for out, _ in outputs]


def rows(run: Path) -> list[dict[str, str]]:
    with open(run / "metrics.csv", newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def assert_same_curve(run: Path, other: Path) -> None:
    for mine, theirs in zip(rows(run), rows(other), strict=True):
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_allclose(float(mine[name]), float(theirs[name]), rtol=1e-5, err_msg=name)


@pytest.mark.soak
def test_torchrun_starts_one_run(place: Path) -> None:
    """As the docs print it: without --devices, without --out."""
    (out,) = finished(started(printed("torchrun --standalone"), place))
    (run,) = (place / "runs").iterdir()
    assert out.count(f"run       runs/{run.name}") == 2  # at the start and at the end, from the first process alone
    assert "2 devices" in out and "batches of 10, of which each device takes 1/2" in out
    assert_same_curve(run, place / "one")


@pytest.mark.soak
def test_slurm_starts_one_run_on_two_machines(place: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    job = {
        "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "scenes", "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "2", "SLURM_LOCALID": "0", "SLURM_NODELIST": "127.0.0.1",
        "MASTER_PORT": port,
    }  # fmt: skip
    words = [*printed("srun python"), "--out", "slurm"]
    ranks = [started(words, place, SLURM_PROCID=rank, SLURM_NODEID=rank, **job) for rank in "01"]
    out, silent = finished(*ranks)
    assert "1 device on each of 2 machines" in out and silent == ""
    assert_same_curve(place / "slurm", place / "one")


@pytest.fixture
def two_hosts():
    """The names of two network namespaces that reach each other at 10.203.47.1 and .2 alone."""
    names = [f"scenes-{os.getpid()}-{number}" for number in (1, 2)]
    steps = [f"ip netns add {name}" for name in names]
    steps += [f"ip link add veth1 netns {names[0]} type veth peer name veth2 netns {names[1]}"]
    for number, name in enumerate(names, 1):
        steps += [f"ip -n {name} addr add 10.203.47.{number}/24 dev veth{number}"]
        steps += [f"ip -n {name} link set {device} up" for device in ("lo", f"veth{number}")]
    try:
        for step in steps:
            try:
                done = subprocess.run(step.split(), capture_output=True, text=True)
            except FileNotFoundError:
                pytest.skip("no `ip` command here to make network namespaces with")
            if done.returncode:
                pytest.skip(f"no network namespaces can be made here: {step}: {done.stderr.strip()}")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.mark.soak
def test_two_hosts_train_one_run(place: Path, two_hosts: list[str]) -> None:
    """torchrun as the docs print it for two machines, over their network alone."""
    hosts = []
    for rank, name in enumerate(two_hosts):
        words = [*printed("torchrun --nnodes 2"), "--out", "hosts"]
        words = [{"RANK": str(rank), "HOST": "10.203.47.1"}.get(word, word) for word in words]
        words = ["ip", "netns", "exec", name, *words]
        hosts.append(started(words, place, GLOO_SOCKET_IFNAME=f"veth{rank + 1}"))
    out, silent = finished(*hosts)
    assert "1 device on each of 2 machines" in out and silent == ""
    assert_same_curve(place / "hosts", place / "one")


# -- processes that end ------------------------------------------------------------------------------------------------


def faulty(place: Path, fault: str, *words: Any) -> subprocess.CompletedProcess[str]:
    """A run on two processes with a fault in its seventh step (the third of the second epoch)."""
    return run_program(SCRIPT, fault, 7, "train", *words, "--save-every", "1 steps", cwd=place, env=cache(place))


@pytest.fixture(scope="module")
def whole(place: Path) -> dict[str, Any]:
    done = faulty(place, "none", "scenes", "--devices", "2", "--out", "whole", *WORDS)
    assert done.returncode == 0, done.stderr
    assert_same_curve(place / "whole", place / "one")
    return state_of(place / "whole")


@pytest.mark.soak
@pytest.mark.parametrize(
    ("fault", "status"),
    [("kill@1", (1, -signal.SIGKILL)), ("kill@0", (-signal.SIGKILL,)), ("term@0", (143,))],
    ids=["rank-1-killed", "rank-0-killed", "sigterm"],
)
def test_a_process_that_ends_ends_the_run_which_goes_on(fault, status, place, whole) -> None:
    run = place / fault
    done = faulty(place, fault, "scenes", "--devices", "2", "--out", run, *WORDS)
    assert done.returncode in status, done.stderr
    assert time.time() - (run / "last.ckpt").stat().st_mtime < 60  # saved one step before the fault
    assert "Traceback" not in done.stderr
    left = time.monotonic() + 30
    while processes_with(str(run)) and time.monotonic() < left:
        time.sleep(0.2)
    assert not processes_with(str(run))
    if fault == "term@0":
        message = "stopped by SIGTERM in epoch 2 of 3, after 3 of 4 steps. Go on with: scene-lightning train --resume"
        assert done.stderr.count("error: ") == 1 and message in done.stderr
    elif done.returncode != -signal.SIGKILL:
        assert f"another process of this run has ended. Go on with: scene-lightning train --resume {run}" in done.stderr
    done = faulty(place, "none", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert not differences(whole, state_of(run))


@pytest.mark.soak
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_in_a_validation_ends_it_there(rank: int, place: Path) -> None:
    """Also where one process alone gets it: the other leaves batches out, too. 18 images, 9 batches on each."""
    words = [*WORDS, "--set", "batch_size=1", "--set", "epochs=1"]
    runs = place / f"undisturbed-{rank}", place / f"validation-{rank}"
    (place / "validated.txt").unlink(missing_ok=True)
    first = faulty(place, f"validation@{rank}", "scenes", "--devices", "2", "--out", runs[1], *words)
    assert "stopped by SIGTERM in epoch 1 of 1, in its validation. Go on with:" in first.stderr, first.stderr
    assert first.returncode == 143
    assert len((place / "validated.txt").read_text().split()) < 14, "of 18 batches"
    for done in (faulty(place, "none", "scenes", "--devices", "2", "--out", runs[0], *words),
                 faulty(place, "none", "--resume", runs[1])):  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert not differences(state_of(runs[0]), state_of(runs[1]))


def test_another_number_of_devices_is_told(place, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(place / "cache"))
    shutil.copytree(place / "one", place / "pair")
    record = json.loads((place / "pair/run.json").read_text())
    assert record["processes"] == 1
    (place / "pair/run.json").write_text(json.dumps({**record, "processes": 2}))
    assert cli.run(["train", "--resume", str(place / "pair"), "--epochs", "4"]) == 0
    assert "begun on 2 device(s) and goes on on 1; it goes on, but not to the bit" in capsys.readouterr().out


def processes_with(word: str) -> list[int]:
    """The numbers of the processes that have a word in their command line."""
    numbers = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in words:
            numbers.append(int(place.name))
    return numbers


# -- what was asked for and what was started ---------------------------------------------------------------------------

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "3", "RANK": "4", "LOCAL_RANK": "1"}


def test_the_launcher_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert current_launch() is None
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    arguments = trainer_arguments(Hardware(accelerator="cpu"))
    assert (arguments["devices"], arguments["num_nodes"]) == (3, 2)
    check_launch("auto", 1)
    check_launch(3, 2)
    with pytest.raises(DeviceError, match="--devices 2, but torchrun has started 3 on each machine"):
        check_launch(2, 1)
    with pytest.raises(DeviceError, match="--num-nodes 3, but torchrun has started 2"):
        check_launch("auto", 3)


def test_several_machines_need_a_launcher(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", str(place / "scenes"), "--num-nodes", "2"]) == 2
    assert "--num-nodes 2: each machine must start its part. Expected a launcher, torchrun" in capsys.readouterr().err
