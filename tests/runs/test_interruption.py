"""A run ends in an orderly way whatever ends it, says how to go on, and goes on from its folder."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import FileFormatError, InputError
from scene_lightning.models import Model
from scene_lightning.runs import checkpoints
from scene_lightning.runs.callbacks import NonFiniteLossError, StopAtNonFiniteLoss
from scene_lightning.runs.run_record import TrainingInterrupted
from scene_lightning.runs.train import train
from scene_lightning.saving.checkpoint import read_checkpoint
from tests.programs import run_program

SMALL = ["filters=[4]", "dense=[8]", "input_size=24", "batch_size=8", "epochs=3", "precision=32-true"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 6, test_per_class=2, predict=1, size=32)
    return folder


@pytest.fixture
def strike(monkeypatch: pytest.MonkeyPatch):
    """Calls a function in the middle of a step (counted over the run, from 1)."""

    def at(step, action):
        own, count = Model.training_step, [0]

        def training_step(self, batch, batch_idx=0):
            count[0] += 1
            if count[0] == step:
                action()
            return own(self, batch, batch_idx)

        monkeypatch.setattr(Model, "training_step", training_step)

    return at


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "last.ckpt", weights_only=True)["state_dict"]


def rows(run: Path) -> list[dict[str, str]]:
    with open(run / "metrics.csv", newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(str(data), overrides=SMALL, out=str(tmp_path_factory.mktemp("whole") / "run")).folder


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"])
@pytest.mark.parametrize(("step", "place"), [(2, "after 2 of 5 steps"), (5, "in its validation")])
def test_a_signal_saves_at_the_steps_end(number, status, step, place, data, whole, tmp_path, strike) -> None:
    strike(step, lambda: signal.raise_signal(number))
    before = signal.getsignal(number)
    with pytest.raises(TrainingInterrupted) as caught:
        train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
    assert signal.getsignal(number) is before
    assert caught.value.exit_status == status
    wanted = f"stopped by {number.name} in epoch 1 of 3, {place}. Go on with: scene-lightning train --resume"
    assert str(caught.value).startswith(wanted)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "stopped"
    train(None, resume=str(tmp_path / "run"))
    for name, value in weights(whole).items():
        assert torch.equal(weights(tmp_path / "run")[name], value), name
    assert rows(tmp_path / "run") == rows(whole)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


@pytest.mark.parametrize(
    "more", [["early_stopping={patience: 1}", "ema_momentum=0.9"], ["batch_size=100"]], ids=["averaged", "one-step"]
)
@pytest.mark.parametrize("epoch", [pytest.param(1, marks=pytest.mark.soak), 2])
def test_a_signal_in_a_validation_ends_it_there(epoch, more, data, tmp_path, monkeypatch) -> None:
    overrides = [*SMALL, *more]
    whole = train(str(data), overrides=overrides, out=str(tmp_path / "w")).folder
    own, batches = Model.validation_step, []

    def validation_step(self, batch, batch_idx=0):
        batches.append((self.trainer.current_epoch + 1, batch_idx))
        if batches[-1] == (epoch, 0):
            signal.raise_signal(signal.SIGTERM)
        return own(self, batch, batch_idx)

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(Model, "validation_step", validation_step)
        with pytest.raises(TrainingInterrupted, match=rf"SIGTERM in epoch {epoch} of 3, in its validation\."):
            train(str(data), overrides=overrides, out=str(run))
    assert batches[-1] == (epoch, 0)
    assert not (run / "metrics.csv").exists() or len(rows(run)) == epoch - 1
    train(None, resume=str(run))
    for file in ("last.ckpt", "best.ckpt"):
        theirs, ours = (torch.load(one / file, weights_only=True) for one in (whole, run))
        for name, value in theirs["state_dict"].items():
            assert torch.equal(ours["state_dict"][name], value), (file, name)
    assert rows(run) == rows(whole)


def test_a_run_that_saved_nothing_begins_again_in_its_folder(data, whole, tmp_path, strike) -> None:
    def fail() -> None:
        raise RuntimeError("on purpose")

    strike(2, fail)
    with pytest.raises(RuntimeError):
        train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
    assert not (tmp_path / "run" / "last.ckpt").exists()
    with pytest.raises(InputError, match=r"already holds a run.*go on with a run: --resume .*run$"):
        train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
    train(None, resume=str(tmp_path / "run"))
    assert rows(tmp_path / "run") == rows(whole)


def test_one_command_begins_and_goes_on(data, whole, tmp_path, strike) -> None:
    run = str(tmp_path / "run")
    strike(8, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted):
        train(str(data), overrides=SMALL, out=run, resume=run)
    train(str(data), overrides=SMALL, out=run, resume=run)
    assert rows(tmp_path / "run") == rows(whole)


def test_slurm_requeues_in_the_same_folder(data, whole, tmp_path, strike, monkeypatch) -> None:
    run = str(tmp_path / "run")
    strike(8, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted):
        train(str(data), overrides=SMALL, out=run)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    train(str(data), overrides=SMALL, out=run)
    assert rows(tmp_path / "run") == rows(whole)


@pytest.mark.parametrize(
    "damage", ["flipped", *(pytest.param(kind, marks=pytest.mark.soak) for kind in ("truncated", "empty"))]
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(damage, data, whole, tmp_path, strike, capsys) -> None:
    strike(13, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted):
        train(str(data), overrides=[*SMALL, "save_every=1 steps"], out=str(tmp_path / "run"))
    last = tmp_path / "run" / "last.ckpt"
    content = bytearray(last.read_bytes())
    if damage == "flipped":
        name = "state_dict"
        tensor = read_checkpoint(last)[name]
        raw = max(tensor.values(), key=lambda value: value.numel()).numpy().tobytes()
        at = content.index(raw)
        content[at + 40 : at + 104] = bytes(255 - byte for byte in content[at + 40 : at + 104])
    last.write_bytes({"flipped": content, "truncated": content[: len(content) // 2], "empty": b""}[damage])
    with pytest.raises(FileFormatError, match=r"damaged|not|incomplete"):
        train(None, resume=str(last))
    capsys.readouterr()
    train(None, resume=str(tmp_path / "run"))
    assert "Going on from previous.ckpt." in capsys.readouterr().out
    assert rows(tmp_path / "run") == rows(whole)


def test_bits_that_flipped_are_noticed_by_every_reader(whole, tmp_path, capsys) -> None:
    path = tmp_path / "last.ckpt"
    shutil.copy(whole / "best.ckpt", path)
    content = bytearray(path.read_bytes())
    best = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
    raw = max(best.values(), key=lambda value: value.numel()).numpy().tobytes()
    content[content.index(raw) + 8] ^= 0x40
    path.write_bytes(content)
    assert cli.run(["summary", str(path)]) == 2
    assert "checksum" in capsys.readouterr().err


def test_a_full_disk_names_the_folder_and_keeps_the_last_state(data, whole, tmp_path, strike, monkeypatch) -> None:
    own, count = checkpoints.write_checkpoint, [0]

    def full(path, checkpoint):
        import resource

        count[0] += 1
        if count[0] == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            own(path, checkpoint)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    monkeypatch.setattr(checkpoints, "write_checkpoint", full)
    with pytest.raises(OSError, match="File too large") as caught:
        train(str(data), overrides=[*SMALL, "save_every=1 steps"], out=str(tmp_path / "run"))
    assert Path(caught.value.filename).parent == (tmp_path / "run").resolve()
    assert not [path.name for path in (tmp_path / "run").iterdir() if "partial" in path.name or ".new" in path.name]
    train(None, resume=str(tmp_path / "run"))
    assert rows(tmp_path / "run") == rows(whole)


def test_a_run_killed_in_its_evaluation_writes_it(data, whole, tmp_path, monkeypatch) -> None:
    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("scene_lightning.runs.train._evaluate_best", killed)
    with pytest.raises(TrainingInterrupted):
        train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
    monkeypatch.undo()
    finished = train(None, resume=str(tmp_path / "run"))
    assert finished.evaluation is not None
    written = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert written["loss"] == json.loads((whole / "evaluation.json").read_text())["loss"]
    with pytest.raises(InputError, match="nothing is left"):
        train(None, resume=str(tmp_path / "run"))


def test_more_epochs_extend_a_run(data, tmp_path, capsys) -> None:
    longer = train(str(data), overrides=[*SMALL, "epochs=5"], out=str(tmp_path / "longer")).folder
    train(str(data), overrides=SMALL, out=str(tmp_path / "run"))
    train(None, overrides=["epochs=5"], resume=str(tmp_path / "run"))
    assert rows(tmp_path / "run") == rows(longer)
    train(str(data), overrides=[*SMALL, "schedule=cosine"], out=str(tmp_path / "cosine"))
    capsys.readouterr()
    train(None, overrides=["epochs=4"], resume=str(tmp_path / "cosine"))
    assert "the cosine schedule spans 4 epochs now, not 3" in capsys.readouterr().out


def test_a_run_is_repeated_from_what_it_recorded(data, whole, tmp_path, capsys, monkeypatch) -> None:
    assert cli.run(["rerun", str(whole), "--out", str(tmp_path / "again")]) == 0
    assert f"the same numbers as {whole} in all 3 epochs" in capsys.readouterr().out
    assert rows(tmp_path / "again") == rows(whole)
    assert cli.run(["rerun", str(tmp_path)]) == 2
    assert "Expected the folder of a run" in capsys.readouterr().err


def test_a_run_that_was_moved_keeps_its_best_epoch(data, tmp_path, strike) -> None:
    settings = [*SMALL, "epochs=4", "training.best_by=val_loss", "learning_rate=0.3", "optimizer=sgd"]
    wanted = train(str(data), overrides=settings, out=str(tmp_path / "whole")).folder
    best = min(rows(wanted), key=lambda row: float(row["val_loss"]))["epoch"]
    strike(5 * (int(best) + 1) + 1, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted):
        train(str(data), overrides=settings, out=str(tmp_path / "run"))
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    train(None, resume=str(tmp_path / "elsewhere"))
    one, other = (torch.load(run / "best.ckpt", weights_only=True) for run in (wanted, tmp_path / "elsewhere"))
    assert one["global_step"] == other["global_step"] < 20


def test_a_cross_validation_goes_on(data, tmp_path, strike, capsys) -> None:
    words = [word for one in (*SMALL, "epochs=2") for word in ("--set", one)]
    assert cli.run(["train", str(data), "--folds", "2", "--out", str(tmp_path / "whole"), *words]) == 0
    steps_of_a_fold = 2 * 3
    strike(steps_of_a_fold + 2, lambda: signal.raise_signal(signal.SIGTERM))
    assert cli.run(["train", str(data), "--folds", "2", "--out", str(tmp_path / "run"), *words]) == 143
    assert f"train --resume {tmp_path / 'run'}" in capsys.readouterr().err
    finished = (tmp_path / "run" / "fold-1" / "best.ckpt").stat().st_mtime_ns
    assert cli.run(["train", "--resume", str(tmp_path / "run"), "--folds", "3"]) == 2
    assert "has 2 folds" in capsys.readouterr().err
    assert cli.run(["train", "--resume", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "fold-1" / "best.ckpt").stat().st_mtime_ns == finished
    one, other = (json.loads((tmp_path / name / "folds.json").read_text()) for name in ("whole", "run"))
    assert one == other


@pytest.mark.parametrize("value", ["5", "0s", "-1m", "1.5 steps", "often", ""])
def test_intervals_that_mean_nothing_are_refused(value, data, capsys) -> None:
    assert cli.run(["train", str(data), f"--save-every={value}"]) == 2
    assert "expected a time such as 30s, 5m or 1h" in capsys.readouterr().err


def test_a_loss_that_is_no_number_ends_the_run(data, tmp_path, capsys) -> None:
    settings = [word for one in (*SMALL, "learning_rate=1e30", "optimizer=sgd") for word in ("--set", one)]
    run = tmp_path / "run"
    assert cli.run(["train", str(data), "--out", str(run), "--save-every", "1 steps", *settings]) == 2
    message = capsys.readouterr().err
    assert "the loss is nan in epoch 1, step" in message and "holds the last good state" in message
    names = (run / "non_finite_loss.txt").read_text().splitlines()
    assert 4 <= len(names) <= 8 and all(Path(name).is_file() for name in names)
    state = torch.load(run / "last.ckpt", weights_only=True)["state_dict"]
    assert not any(torch.isnan(value).any() for value in state.values())
    assert not (run / "best.ckpt").exists()


def test_losses_that_are_still_to_be_looked_at_are_before_a_checkpoint(tmp_path) -> None:
    """As on a GPU, where a look at each loss would wait for the device."""
    feed = SimpleNamespace(samples_of=lambda epoch, step, rank, world_size: [2 * step, 2 * step + 1])
    watch = StopAtNonFiniteLoss(tmp_path, feed, [f"{number}.jpg" for number in range(8)])
    trainer = SimpleNamespace(current_epoch=0, global_rank=0, world_size=1)
    watch._losses, watch._next = [torch.tensor(0.5), torch.tensor(float("nan")), torch.tensor(0.5)], 4
    with pytest.raises(NonFiniteLossError, match=r"loss is nan in epoch 1, step 3, on 2 images such as '4\.jpg'"):
        watch.on_save_checkpoint(trainer, None, {})
    watch.on_save_checkpoint(trainer, None, {})  # once looked at, they are done with


@pytest.mark.soak
def test_a_stuck_run_ends_and_says_what_it_waited_for(data, tmp_path) -> None:
    script = tmp_path / "stuck.py"
    script.write_text(
        "import os, signal, sys, threading, time\n"
        "from scene_lightning.cli.main import run\n"
        "from scene_lightning.models import Model\n"
        "from scene_lightning.runs import checkpoints\n"
        "checkpoints.GRACE_SECONDS = 1.0\n"
        "def waits_for_good(self, batch, batch_idx=0):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    while True:\n"
        "        time.sleep(0.1)\n"
        "Model.training_step = waits_for_good\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    words = [word for one in SMALL for word in ("--set", one)]
    done = run_program(script, "train", data, "--out", tmp_path / "run", *words, cwd=tmp_path, timeout=120)
    assert done.returncode == 143, done.stderr
    assert "no step has ended for" in done.stderr and "waits_for_good()" in done.stderr


def test_saving_by_the_clock_takes_its_share_of_the_time(monkeypatch) -> None:
    from scene_lightning.recipes.values import save_interval

    last = checkpoints.LastCheckpoint(Path("run"), save_interval("1s"), None)
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    last._saved_at, last._cost = 100.0, 0.5
    for waited, due in ((1.5, False), (49.0, False), (50.5, True)):
        now[0] = 100.0 + waited
        assert last._is_due() is due
