"""TensorFlow's "Save and load models" and "Training checkpoints" as programs: names, folders, what is found again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning.errors import InputError

Run = Callable[..., Any]

BEGIN = """
import math, os
import numpy as np, tensorflow as tf
from tensorflow import keras

images, labels = np.random.rand(64, 12).astype("float32"), np.random.randint(0, 10, 64)

def create_model():
    model = keras.Sequential([keras.layers.Dense(8, activation="relu", input_shape=(12,)), keras.layers.Dropout(0.2),
                              keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=[keras.metrics.SparseCategoricalAccuracy()])
    return model

def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights()))

model = create_model()
"""

SAVE_AND_LOAD = """
checkpoint_path = "training_1/cp.ckpt"
checkpoint_dir = os.path.dirname(checkpoint_path)
assert tf.train.latest_checkpoint(checkpoint_dir) is None
callback = keras.callbacks.ModelCheckpoint(filepath=checkpoint_path, save_weights_only=True, verbose=1)
model.fit(images, labels, epochs=2, validation_data=(images, labels), callbacks=[callback])
assert {"checkpoint", "cp.ckpt.index"} <= set(os.listdir(checkpoint_dir)), os.listdir(checkpoint_dir)
assert os.path.exists(checkpoint_path + ".index") and not os.path.exists(checkpoint_path)
assert tf.train.latest_checkpoint(checkpoint_dir) == checkpoint_path
other = create_model()
other.load_weights(checkpoint_path).expect_partial()
assert same(model, other)

checkpoint_path = "training_2/cp-{epoch:04d}.ckpt"
batches = math.ceil(len(images) / 32)
callback = keras.callbacks.ModelCheckpoint(checkpoint_path, verbose=1, save_weights_only=True, save_freq=5 * batches)
model.save_weights(checkpoint_path.format(epoch=0))
assert tf.train.latest_checkpoint("training_2") == "training_2/cp-0000.ckpt"
model.fit(images, labels, epochs=12, batch_size=32, callbacks=[callback], verbose=0)
latest = tf.train.latest_checkpoint(os.path.dirname(checkpoint_path))
assert latest == "training_2/cp-0010.ckpt", latest
assert tf.train.get_checkpoint_state("training_2").model_checkpoint_path == latest
other.load_weights(latest).assert_existing_objects_matched()

model.save_weights("./checkpoints/my_checkpoint")
assert tf.train.latest_checkpoint("./checkpoints") == "./checkpoints/my_checkpoint"
other.load_weights("./checkpoints/my_checkpoint").assert_consumed()
assert same(model, other)
shapes = [shape for _, shape in tf.train.list_variables("./checkpoints")]
assert sorted(map(tuple, shapes)) == [(8,), (8, 10), (10,), (12, 8)], shapes

for name in ("saved_model/my_model", "whole/my_model.keras", "whole/old/my_model.h5"):
    model.save(name)
    loaded = keras.models.load_model(name)
    assert same(model, loaded) and loaded.evaluate(images, labels, verbose=0)[0] > 0
model.save_weights("h5/old.h5")
model.save_weights("h5/new.weights.h5")
model.save_weights("h5/named", save_format="h5")
assert sorted(os.listdir("h5")) == ["named", "new.weights.h5", "old.h5"]  # no `checkpoint`, as in Keras 2
"""

CHECKPOINTS = """
ckpt = tf.train.Checkpoint(step=tf.Variable(1), net=model)
manager = tf.train.CheckpointManager(ckpt, "./tf_ckpts/", max_to_keep=3)
assert manager.latest_checkpoint is None
ckpt.restore(manager.latest_checkpoint)
for _ in range(5):
    ckpt.step.assign_add(1)
    path = manager.save()
assert path == tf.train.latest_checkpoint("./tf_ckpts/") == manager.latest_checkpoint == "./tf_ckpts/ckpt-5", path
assert [os.path.basename(one) for one in manager.checkpoints] == ["ckpt-3", "ckpt-4", "ckpt-5"]
other = tf.train.Checkpoint(step=tf.Variable(0), net=create_model())
other.restore(manager.latest_checkpoint).assert_consumed().expect_partial()
assert int(other.step) == 6 and same(other.net, model)
reader = tf.train.load_checkpoint("./tf_ckpts/")
assert [12, 8] in reader.get_variable_to_shape_map().values()
assert tf.train.checkpoint_exists(path) and not tf.train.checkpoint_exists("./tf_ckpts/ckpt-1")
try:
    model.load_weights(path)
except ValueError as error:
    assert "tf.train.Checkpoint" in str(error)
else:
    raise SystemExit("taken")
"""


@pytest.mark.parametrize("part", [SAVE_AND_LOAD, CHECKPOINTS], ids=["save and load", "checkpoints"])
def test_the_tutorials_run(part: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "tutorial.py").write_text(BEGIN + part)
    done = run("tutorial.py")
    assert done.returncode == 0, done.stderr


def test_without_the_runner_names_are_files(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.save_weights(tmp_path / "cp.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["cp.ckpt"]


def test_folders_that_are_not_there_yet_are_made(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    for name in ("a/b.keras", "c/d/e.h5", "f/g.ckpt", "h/i.safetensors", "j/k"):
        model.save(tmp_path / name)
        keras.models.load_model(tmp_path / name)
    for name in ("l/m.weights.h5", "n/o.h5", "p/q"):
        model.save_weights(tmp_path / name)
        model.load_weights(tmp_path / name)
    keras.models.save_model(model, tmp_path / "r/s.keras")
    model.fit(
        np.ones((4, 3)), np.ones((4, 2)), verbose=0,
        callbacks=[
            keras.callbacks.CSVLogger(tmp_path / "logs/x/log.csv"),
            keras.callbacks.TensorBoard(str(tmp_path / "board/y")),
            keras.callbacks.BackupAndRestore(str(tmp_path / "backup/z")),
            keras.callbacks.ModelCheckpoint(str(tmp_path / "each/{epoch}/m.keras")),
        ],
    )  # fmt: skip
    assert (tmp_path / "logs/x/log.csv").read_text().startswith("epoch,loss")
    assert list((tmp_path / "board/y").rglob("events*")) and (tmp_path / "each/1/m.keras").is_file()
    (tmp_path / "t").mkdir()
    model.save(tmp_path / "t")  # Keras 2 filled a folder that was there
    for value, again in zip(model.get_weights(), keras.models.load_model(tmp_path / "t").get_weights(), strict=True):
        np.testing.assert_array_equal(value, again)
    model.load_weights(tmp_path / "t")
    with pytest.raises(InputError, match="There is no folder"):
        model.save(tmp_path / "r/s.keras/t.keras")  # a file is in its place
