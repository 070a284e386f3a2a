"""SIGTERM ends a program in `fit`, also one whose data never come."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.programs import run_program

PROGRAM = """
import os, signal, threading, time
import numpy as np
from tensorflow import keras

class Stuck(keras.utils.Sequence):
    def __len__(self):
        return 5

    def __getitem__(self, number):
        if number:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
            time.sleep(1000)
        return np.zeros((4, 3), "float32"), np.zeros(4)

def batches():
    data = Stuck()
    for number in range(5):
        yield data[number]

model = keras.Sequential([keras.layers.Dense(1, input_shape=(3,))])
model.compile("sgd", "mse")
model.fit({data}, steps_per_epoch=5, verbose=0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM")
@pytest.mark.parametrize("data", ["batches()", "Stuck()"])
def test_sigterm_ends_a_fit_that_waits_for_data(data: str, tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(PROGRAM.replace("{data}", data))
    done = run_program("stuck.py", cwd=tmp_path, timeout=120)
    assert done.returncode == 143, done.stderr
    assert "Traceback" not in done.stderr
