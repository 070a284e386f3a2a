"""Folders as people have them: what programs leave in them, links, pipes, odd names and levels; and SIGTERM."""

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

import numpy as np
import pytest
from PIL import Image

from scene_lightning import layers, models
from scene_lightning.cli import main as cli
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.preprocessing.image import ImageDataGenerator
from scene_lightning.runs import inputs
from scene_lightning.runs.callbacks import RunRecorder
from tests.programs import MODULE, ROOT, run_program

RECIPE = """
model: {filters: [4], dense: [8], input_size: [12, 12]}
data: {cache: "off"}
training: {epochs: 2, batch_size: 4, accelerator: cpu}
"""
CLASSES = ("forest", "sea")


def photograph(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """data/{seg_train,seg_test}/{forest,sea}: four and two photographs."""
    for half, count in (("seg_train", 4), ("seg_test", 2)):
        for name in CLASSES:
            for number in range(count):
                photograph(tmp_path / "data" / half / name / f"{number}.png", number)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = models.Sequential([layers.Input((12, 12, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    network.compile("sgd", "categorical_crossentropy")
    network.image_info = ImageInfo(list(CLASSES), (12, 12)).as_dict()
    file = tmp_path_factory.mktemp("model") / "m.keras"
    network.save(file)
    return file


def run(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> tuple[str, str]:
    ended = cli.run([str(word) for word in words])
    captured = capsys.readouterr()
    assert ended == status, captured.err
    assert "Traceback" not in captured.err
    return captured.out, captured.err


def train_words(data: Path, *more: object) -> list[object]:
    return ["train", data, "--config", data.parent / "tiny.yaml", "--out", data.parent / "run", *more]


# -- what is no photograph ---------------------------------------------------------------------------------------------


def litter(folder: Path) -> None:
    """What Macs, Windows and notebooks leave behind, in a data folder and its classes."""
    for where in (folder, folder / "seg_train", folder / "seg_train" / "sea"):
        photograph(where / "__MACOSX" / "sea" / "._0.jpg")
        photograph(where / ".ipynb_checkpoints" / "0-checkpoint.jpg")
        (where / "Thumbs.db").write_bytes(b"\0")
        (where / "._0.jpg").write_bytes(b"\0")


def test_litter_is_left_out_and_said_once(data: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean, _ = run(capsys, "stats", data, "--json")
    litter(data)
    printed, errors = run(capsys, "stats", data, "--json")
    assert json.loads(printed) == json.loads(clean)
    for command in (train_words(data), ["evaluate", model, data / "seg_train"], ["predict", model, data / "seg_train"]):
        _, errors = run(capsys, *command)
        said = [line for line in errors.splitlines() if "left out" in line]
        assert len(said) == 1, errors
        for name in ("__MACOSX", ".ipynb_checkpoints", "Thumbs.db", "._*"):
            assert said[0].count(name) == 1
        assert "skipped" not in errors


def test_pipes_sockets_and_devices_are_not_opened(data: Path, model: Path, tmp_path: Path) -> None:
    """In processes: what opened the pipe would hang for good."""
    os.mkfifo(data / "seg_train" / "sea" / "pipe.jpg")
    os.mkfifo(data / "seg_test" / "sea" / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(data / "seg_train" / "sea")  # the name of a socket must be short
        server.bind("socket.jpg")
        os.chdir(tmp_path)
        (data / "seg_train" / "sea" / "null.jpg").symlink_to("/dev/zero")
        for words in (train_words(data, "--epochs", 1), ["stats", data], ["predict", model, data / "seg_train"]):
            done = run_program(*words, cwd=tmp_path, timeout=120)
            assert done.returncode == 0, done.stderr
            for name, kind in (("pipe.jpg", "pipe"), ("socket.jpg", "socket"), ("null.jpg", "device")):
                assert name in done.stderr and kind in done.stderr
        done = run_program("predict", model, data / "seg_train" / "sea" / "pipe.jpg", cwd=tmp_path, timeout=60)
        assert done.returncode == 2 and "neither a file nor a folder" in done.stderr
    flow = ImageDataGenerator().flow_from_directory(data / "seg_train", (12, 12), follow_links=True)
    assert flow.samples == 8


def test_each_real_folder_is_visited_once(data: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forest = data / "seg_train" / "forest"
    (forest / "loop").symlink_to(".")
    (forest / "up").symlink_to("..")
    photograph(data / "elsewhere" / "more.png")
    (forest / "a").symlink_to(data / "elsewhere")
    (forest / "b").symlink_to(data / "elsewhere")
    (forest / "circle").symlink_to("circle")
    printed, _ = run(capsys, "stats", data / "seg_train", "--json")
    # four of its own, one behind a link, and those of `sea`, which the link upwards leads to
    assert json.loads(printed)["classes"]["forest"]["count"] == 4 + 1 + 4
    run(capsys, "predict", model, forest, "--out", data / "p.csv")
    assert len(list(csv.DictReader((data / "p.csv").open()))) == 4 + 1 + 4
    assert ImageDataGenerator().flow_from_directory(data / "seg_train", follow_links=True).samples == 9 + 4


# -- levels and names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["train", "stats", "evaluate"])
@pytest.mark.parametrize("above", ["x", "x/y"])
def test_one_level_too_high_is_refused_with_the_right_path(
    data: Path, model: Path, capsys: pytest.CaptureFixture[str], command: str, above: str
) -> None:
    root = data.parent
    (root / above).mkdir(parents=True)
    shutil.move(data, root / above / "intel")
    words = {
        "train": train_words(root / "x"),
        "stats": ["stats", root / "x"],
        "evaluate": ["evaluate", model, root / "x"],
    }
    _, errors = run(capsys, *words[command], status=2)
    assert f"Did you mean {str(root / above / 'intel')!r}?" in errors
    assert not (root / "run").exists()


@pytest.mark.parametrize("command", ["train", "stats", "evaluate"])
def test_a_folder_round_the_class_folders_is_refused_by_name(
    data: Path, model: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    outer = data.parent / "outer"
    shutil.copytree(data / "seg_train", outer / "Data")
    words = {"train": train_words(data), "stats": ["stats", data], "evaluate": ["evaluate", model, data]}[command]
    words[words.index(data)] = outer
    _, errors = run(capsys, *words, status=2)
    assert f"Did you mean {str(outer / 'Data')!r}?" in errors


def test_one_class_is_refused_by_train_alone(data: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for half in ("seg_train", "seg_test"):
        shutil.rmtree(data / half / "forest")
    for folder in (data, data / "seg_train"):
        _, errors = run(capsys, *train_words(folder, "--config", data.parent / "tiny.yaml"), status=2)
        assert "one class only, 'sea'" in errors and "nothing to tell it from" in errors
    run(capsys, "stats", data)
    printed, _ = run(capsys, "evaluate", model, data, "--json")
    assert json.loads(printed)["images"] == 2
    photograph(data / "seg_test" / "sea" / "2025" / "a.png")  # a class with folders in it is no wrapper
    for number in range(2):
        shutil.move(data / "seg_test" / "sea" / f"{number}.png", photograph(data / "seg_test/sea/2026/b.png").parent)
    printed, _ = run(capsys, "evaluate", model, data, "--json")
    assert json.loads(printed)["images"] == 4


@pytest.mark.parametrize(
    "names", [pytest.param(("Seg_Train", "SEG_TEST"), marks=pytest.mark.soak), ("TRAIN", "Validation")]
)
def test_splits_are_recognised_in_any_case(
    data: Path, model: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    for old, new in zip(("seg_train", "seg_test"), names, strict=True):
        (data / old).rename(data / f"{new}.")
        (data / f"{new}.").rename(data / new)
    printed, _ = run(capsys, *train_words(data))
    assert "8 images to train on, 4 to validate on" in printed
    printed, _ = run(capsys, "evaluate", model, data, "--json")
    assert json.loads(printed)["images"] == 4 and json.loads(printed)["split"] == names[1]
    printed, _ = run(capsys, "stats", data, "--json")
    assert set(json.loads(printed)["splits"]) == set(names)


def test_folders_that_an_archive_doubled(data: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """seg_train/seg_train/sea, as the Intel scenes unpack."""
    for half in ("seg_train", "seg_test"):
        shutil.move(data / half, data / "inner" / half)
        shutil.move(data / "inner", data / half)
    printed, _ = run(capsys, *train_words(data))
    assert "8 images to train on, 4 to validate on" in printed
    printed, _ = run(capsys, "evaluate", model, data, "--json")
    assert json.loads(printed)["images"] == 4


@pytest.mark.parametrize("name", ["🏔 é.png", "two\nlines.png", "-rf.png", " blank .png", 'a,b".png'])
def test_odd_names_keep_their_row(data: Path, model: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    photograph(data / "seg_test" / "sea" / name)
    run(capsys, "predict", model, data / "seg_test" / "sea", "--out", data / "p.csv")
    rows = list(csv.DictReader((data / "p.csv").open(newline="")))
    assert sorted(Path(row["path"]).name for row in rows) == sorted(["0.png", "1.png", name])


@pytest.mark.soak
def test_names_that_are_not_utf8_are_escaped(data: Path, model: Path, tmp_path: Path) -> None:
    """In every kind of output, of readable and unreadable files; `train` takes them too."""
    folder = os.fsencode(data / "seg_train" / "sea")
    shutil.copy(data / "seg_train" / "sea" / "0.png", os.path.join(folder, b"caf\xe9.png"))
    with open(os.path.join(folder, b"b\xff.jpg"), "wb") as file:
        file.write(b"no image")
    for ending in ("json", None):
        out = [] if ending is None else ["--out", f"p.{ending}"]
        done = run_program("predict", model, "data/seg_train/sea", *out, cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        text = done.stdout + done.stderr if ending is None else (tmp_path / f"p.{ending}").read_text("utf-8")
        assert "caf\\udce9.png" in text and "b\\udcff.jpg" in text
    rows = json.loads((tmp_path / "p.json").read_text())
    names = [os.fsencode(row["path"]) for row in rows]  # nothing is lost: JSON's own escape gives the byte back
    assert len(rows) == 6 and any(name.endswith(b"caf\xe9.png") for name in names)
    done = run_program(*train_words(data), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "caf\\udce9.png" in (tmp_path / "run" / "images.csv").read_text("utf-8")
    os.rename(folder, os.path.join(os.path.dirname(folder), b"s\xe9a"))
    done = run_program("stats", data / "seg_train", cwd=tmp_path)
    assert done.returncode == 2 and "is not UTF-8. Rename it" in done.stderr


# -- in mid-run --------------------------------------------------------------------------------------------------------


def test_a_photograph_that_vanishes_in_mid_run(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the cache off: named, counted, the run goes on; with --strict it stops."""
    gone = data / "seg_train" / "sea" / "2.png"
    plain = inputs.cache_images

    def then_vanish(*args: object, **options: object) -> object:
        images = plain(*args, **options)  # type: ignore[arg-type]
        gone.unlink(missing_ok=True)
        return images

    monkeypatch.setattr(inputs, "cache_images", then_vanish)
    _, errors = run(capsys, *train_words(data))
    assert f"skipped: No image at {str(gone)!r}" in errors and "1 of 8 images could not be read" in errors
    assert (data.parent / "run" / "best.ckpt").is_file()
    photograph(gone)
    shutil.rmtree(data.parent / "run")
    _, errors = run(capsys, *train_words(data, "--strict"), status=2)
    assert f"No image at {str(gone)!r}" in errors


def test_a_strict_run_goes_on_when_the_photograph_is_back(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = data / "seg_train" / "sea" / "2.png"
    plain = RunRecorder.on_epoch_end

    def then_vanish(self: RunRecorder, epoch: int, logs: dict[str, float] | None = None) -> None:
        plain(self, epoch, logs)
        gone.unlink(missing_ok=True)

    with monkeypatch.context() as patched:
        patched.setattr(RunRecorder, "on_epoch_end", then_vanish)
        _, errors = run(capsys, *train_words(data, "--strict"), status=2)
    run_folder = data.parent / "run"
    assert (
        f"No image at {str(gone)!r}" in errors and f"go on with: scene-lightning train --resume {run_folder}" in errors
    )
    photograph(gone, 2)
    run(capsys, "train", "--resume", run_folder)
    assert [row["epoch"] for row in csv.DictReader((run_folder / "metrics.csv").open())] == ["1", "2"]


def test_flow_from_directory_names_a_truncated_image(data: Path) -> None:
    cut = data / "seg_train" / "sea" / "1.png"
    cut.write_bytes(cut.read_bytes()[:-80])
    flow = ImageDataGenerator().flow_from_directory(data / "seg_train", (12, 12), shuffle=False)
    with pytest.raises(OSError, match=r"sea/1\.png"):
        next(flow)
    cut.write_text("no image")
    with pytest.raises(OSError, match=r"sea/1\.png"):
        flow[0]


# -- SIGTERM -----------------------------------------------------------------------------------------------------------


def waits_in_a_pipe(folder: Path) -> None:
    """A package that makes a command hang: it opens a named pipe that nobody writes into."""
    os.mkfifo(folder / "pipe")
    (folder / "hang.py").write_text(
        "import scene_lightning.inference.inspection as inspection, sys\n"
        "from scene_lightning.cli import main, process\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def hang(*_, **__):\n"
        "    print('hanging', flush=True)\n"
        f"    read = lambda: open({str(folder / 'pipe')!r}, 'rb').read()\n"
        "    if sys.argv[1] == 'main':\n"
        "        read()\n"
        "    with ThreadPoolExecutor(1) as pool:\n"
        "        pool.submit(read).result()\n"
        "from scene_lightning.cli import pipeline\n"
        "pipeline.stats = hang\n"
        "main.main(['stats', '.'])\n"
    )


@pytest.mark.parametrize("where", ["main", pytest.param("thread", marks=pytest.mark.soak)])
def test_sigterm_ends_a_command_that_waits_for_ever(tmp_path: Path, where: str) -> None:
    waits_in_a_pipe(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, str(tmp_path / "hang.py"), where]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "hanging\n"
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert time.monotonic() - begin < 30  # a second, on a machine with nothing else to do
        assert process.returncode == 128 + signal.SIGTERM and "Traceback" not in errors


def test_sigterm_ends_predict_and_leaves_no_half_file(data: Path, model: Path, tmp_path: Path) -> None:
    for number in range(400):
        shutil.copy(data / "seg_test" / "sea" / "0.png", data / "seg_test" / "sea" / f"{number + 10}.png")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [*MODULE, "predict", str(model), str(data / "seg_test"), "--out", "p.csv", "--batch-size", "1"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, env=environment, text=True) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*p.csv*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 143 and "ended by SIGTERM" in errors, errors
    assert not list(tmp_path.glob("*p.csv*"))
