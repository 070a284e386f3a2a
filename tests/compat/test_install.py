"""`scene_lightning.install()` in code: names resolve while it is in force, and no longer afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys, torch
import scene_lightning
from scene_lightning.compat.install import uninstall
scene_lightning.install(accelerator="cpu", limit_epochs=1)
import keras, tensorflow as tf
assert keras.layers.Dense is scene_lightning.layers.Dense is tf.keras.layers.Dense
tensor = torch.ones(2, requires_grad=True)
assert tensor.numpy().tolist() == [1, 1]
uninstall()
assert "keras" not in sys.modules and "tensorflow" not in sys.modules
try:
    tensor.numpy()
except RuntimeError:
    print("torch's own again")
sys.modules["tensorflow"] = type(sys)("tensorflow")  # as if the real one had been imported
try:
    scene_lightning.install()
except ValueError as error:
    print(error)
"""


def test_install_and_uninstall() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, text=True, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("torch's own again\ntensorflow is already imported.")
