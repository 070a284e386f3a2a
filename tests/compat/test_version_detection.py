"""Programs in the spelling of old and of later Keras: which of them read `Conv2D(32, 3, 3)` as a 3x3 kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scene_lightning import layers
from scene_lightning.compat.version_detection import old_spellings, old_spellings_in
from scene_lightning.layers.base.legacy_spelling import old_keras

ROOT = Path(__file__).resolve().parents[2]
KERAS_1 = """
from keras.models import Sequential
from keras.layers import Convolution2D, Flatten, Dense, MaxPooling2D
model = Sequential()
model.add(Convolution2D(32, 3, 3, input_shape=(64, 64, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Convolution2D(32, 3, 3, activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(output_dim=128, activation="relu"))
model.add(Dense(output_dim=1, activation="sigmoid"))
print(model.count_params(), model.layers[2].output_shape)
"""
PARAMETERS = 896 + 9248 + (14 * 14 * 32 + 1) * 128 + 129  # what Keras 2.2 counts for these layers


def written(folder: Path, source: str, name: str = "script.py") -> Path:
    path = folder / name
    path.write_text(source, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("source", "evidence"),
    [
        (KERAS_1, ("Convolution2D", "Dense(output_dim=)")),
        ("import keras\nkeras.layers.Conv2D(border_mode='same')\nm.fit(x, nb_epoch=2)", ("border_mode=", "nb_epoch=")),
        ("from keras.models import Model\nModel(input=a, output=b)", ("Model(input=)", "Model(output=)")),
        ("from keras import backend as K\nK.set_image_dim_ordering('th')", ("K.set_image_dim_ordering",)),
        ("from keras.layers import merge\nmerge([a, b], mode='concat')", ("merge", "merge(mode=)")),
        ("from keras.layers import Conv2D\nConv2D(8, 3, 3)\nm.fit_generator(g, steps_per_epoch=3, epochs=2)", ()),
        ("from tensorflow.keras.layers import Convolution2D\nm.fit(x, nb_epoch=2)", ()),
        ("import tensorflow as tf, keras\ntf.keras.Sequential()\nm.fit(x, nb_epoch=2)", ()),
        ("import scene_lightning as keras\nm.fit(x, nb_epoch=2)", ()),
        ("from keras.layers import Embedding\nEmbedding(9, output_dim=3)", ()),
        ("print 'Python 2'", ()),
    ],
)  # fmt: skip
def test_what_counts_as_old(tmp_path: Path, source: str, evidence: tuple[str, ...]) -> None:
    assert set(old_spellings(written(tmp_path, source))) == set(evidence)


def test_modules_beside_the_program_and_cells_count_too(tmp_path: Path) -> None:
    written(
        tmp_path, "from keras.layers import Conv2D\ndef net(): return Conv2D(8, 3, 3, border_mode='same')", "net.py"
    )
    assert old_spellings(written(tmp_path, "import keras, net")) == ("border_mode=",)
    cells = [{"cell_type": "code", "source": ["%matplotlib inline\n", line]} for line in KERAS_1.splitlines()]
    book = json.dumps({"cells": [{"cell_type": "markdown", "source": "nb_epoch=3"}, *cells]})
    assert "Convolution2D" in old_spellings(written(tmp_path, book, "book.ipynb"))
    assert old_spellings_in(["!pip install keras", "import keras", "m.fit(x, nb_epoch=3)"]) == ("nb_epoch=",)
    assert old_spellings(tmp_path / "missing.py") == ()


def test_positional_kernels_follow_the_evidence() -> None:
    old_keras.believe(("nb_epoch=",))
    try:
        for layer, kernel in (
            (layers.Conv2D(8, 3, 5), (3, 5)),
            (layers.SeparableConv2D(8, 3, 5), (3, 5)),
            (layers.Conv2D(8, 3), (3, 3)),
            (layers.Conv2D(8, (3, 3), 2), (3, 3)),
        ):
            assert layer.kernel_size == kernel
        assert layers.Conv2D(8, (3, 3), 2).strides == (2, 2) and layers.Conv2D(8, 3, 5).strides == (1, 1)
        assert old_keras.kernels == ["Conv2D(8, 3, 5)", "SeparableConv2D(8, 3, 5)", "Conv2D(8, 3, 5)"]
    finally:
        old_keras.believe(())
    assert layers.Conv1D(8, 3, 2).strides == (2,)


def test_a_program_of_keras_1_gets_its_kernels(tmp_path: Path, run: Callable[..., Any]) -> None:
    done = run(written(tmp_path, KERAS_1))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == f"{PARAMETERS} (None, 29, 29, 32)"
    assert "Read as Keras before 2.4 did: Conv2D(32, 3, 3) 2×" in " ".join(done.stderr.split())


def test_a_later_program_keeps_kernel_size_and_strides(tmp_path: Path, run: Callable[..., Any]) -> None:
    source = "from tensorflow.keras.layers import Conv2D\nprint(Conv2D(32, 3, 2).strides)"
    done = run(written(tmp_path, source))
    assert done.stdout.startswith("(2, 2)") and "Read as Keras before" not in done.stderr


@pytest.mark.soak
def test_install_reads_the_program_that_calls_it(tmp_path: Path) -> None:
    program = written(tmp_path, "import scene_lightning\nscene_lightning.install()\n" + KERAS_1)
    done = subprocess.run([sys.executable, program], env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
                          capture_output=True, timeout=240)  # fmt: skip
    assert done.stdout.startswith(str(PARAMETERS)), done.stderr
