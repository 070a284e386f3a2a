"""A run that waits for its data says on stderr what it waits for, and goes on when they come."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import scene_lightning as keras
from scene_lightning.feeds import waiting

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.2)


def compiled(shape: tuple[int, ...] = (3,)) -> Any:
    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("waiting for data")]


def slow_batches(seconds: float) -> Any:
    yield X, Y
    time.sleep(seconds)
    yield X, Y


def test_a_generator_is_named_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    history = compiled().fit(slow_batches(1.2), steps_per_epoch=2, verbose=0)
    assert len(history.history["loss"]) == 1
    told = lines(capsys)
    assert 2 <= len(told) <= 3, told  # after 0.2, 0.4 and 0.8 s
    assert "the generator slow_batches, at" in told[0] and "test_waiting.py" in told[0] and "slow_batches()" in told[0]


def test_data_that_come_in_time_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    compiled().fit(slow_batches(0.01), steps_per_epoch=2, verbose=0)
    assert not lines(capsys) and not [one for one in threading.enumerate() if one.name == "scene-lightning-prefetch"]


def test_a_step_that_takes_long_is_no_wait(capsys: pytest.CaptureFixture[str]) -> None:
    slow = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.6))
    compiled().fit(slow_batches(0.0), steps_per_epoch=2, verbose=0, callbacks=[slow])
    assert not lines(capsys)


def test_a_sequence_is_named_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    class Slow(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            time.sleep(0.5)
            return X, Y

    compiled().fit(Slow(), verbose=0)
    assert "a Slow, at " in (told := lines(capsys)[0]) and "test_waiting.py" in told and "__getitem__()" in told


def test_a_file_that_does_not_open_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As on a network drive that hangs: a pipe opens only when somebody writes."""
    (tmp_path / "a").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "a" / "0.png")
    (tmp_path / "a" / "1.png").write_bytes((tmp_path / "a" / "0.png").read_bytes())
    dataset = keras.utils.image_dataset_from_directory(
        str(tmp_path), labels=None, image_size=(4, 4), batch_size=1, shuffle=False, verbose=False
    )
    stuck = tmp_path / "a" / "1.png"
    content = stuck.read_bytes()
    stuck.unlink()
    os.mkfifo(stuck)

    def write() -> None:
        time.sleep(1.0)
        stuck.write_bytes(content)

    threading.Thread(target=write).start()
    compiled((4, 4, 3)).predict(dataset, verbose=0)
    assert f"the file {str(stuck)!r} is being read" in lines(capsys)[0]
