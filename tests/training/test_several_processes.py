"""Several processes train as one does: the same batches, the same curve, whatever does not divide."""

from __future__ import annotations

import json

import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.preprocessing.image import ImageDataGenerator
from tests.programs import run_program

rng = np.random.default_rng(0)
X = rng.random((53, 6, 6, 3)).astype("float32")
Y = np.eye(3, dtype="float32")[rng.integers(0, 3, 53)]
# Of float32 whose sums were added up in another order, after 28 steps.
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def network(norm=None):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(4, 3, activation="relu")])
    if norm is not None:
        model.add(norm)
    model.add(layers.Flatten())
    model.add(layers.Dense(3, activation="softmax", kernel_regularizer="l2"))
    # Adam would turn the rounding of a gradient that is nought, as behind a normalisation, into whole steps
    optimizer = keras.optimizers.Adam(0.01) if norm is None else keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(data, devices, norm=None, **options):
    model = network(norm() if norm else None)
    several = {"devices": devices, "strategy": "ddp_fork"} if devices > 1 else {"devices": 1}
    history = model.fit(
        *data(), epochs=2, validation_data=(X[:23], Y[:23]), accelerator="cpu", verbose=0, **several, **options
    )
    return history.history, model.get_weights()


class Batches(keras.utils.Sequence):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def arrays():
    return X, Y


def generator():
    ranges = ImageDataGenerator(rotation_range=20, horizontal_flip=True)
    return (ranges.flow(X, Y, batch_size=4, seed=2),)


def test_synchronised_statistics_are_those_of_one_process():
    """Also where a process reads a batch only to stay in step: the last batch is one sample."""
    norm = lambda: layers.BatchNormalization(momentum=0.9, synchronized=True)  # noqa: E731
    one, two = trained(arrays, 1, norm, batch_size=4), trained(arrays, 2, norm, batch_size=4)
    for name, values in one[0].items():
        np.testing.assert_allclose(two[0][name], values, **CLOSE, err_msg=name)
    for a, b in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    own = trained(arrays, 2, lambda: layers.BatchNormalization(momentum=0.9), batch_size=4)
    assert abs(own[0]["loss"][0] - one[0]["loss"][0]) > 0.01  # statistics of two samples are others


def test_batches_of_unequal_size_weigh_by_their_samples():
    """Loaders' batches are dealt out whole: 9 and 4 samples make the step of 13."""
    whole = [(X[:13], Y[:13]), (X[13:26], Y[13:26])]
    parts = [(a[start:stop], b[start:stop]) for a, b in whole for start, stop in ((0, 9), (9, 13))]
    one = trained(lambda: (Batches(whole),), 1, shuffle=False)
    two = trained(lambda: (Batches(parts),), 2, shuffle=False)
    for name, values in one[0].items():
        np.testing.assert_allclose(two[0][name], values, **CLOSE, err_msg=name)
    for a, b in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("devices", [2, pytest.param(4, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    ("data", "options"),
    [
        (arrays, {"batch_size": 4}),  # the last batch is one sample: nobody else has a part of it
        (arrays, {"batch_size": 7, "class_weight": {0: 2.0, 1: 0.5, 2: 1.0}}),
        (arrays, {"batch_size": 1, "steps_per_epoch": 9}),
        (generator, {}),
    ],
    ids=["uneven", "weighted", "ones", "augmented"],
)
def test_the_curve_is_that_of_one_process(data, options, devices):
    one, several = trained(data, 1, **options), trained(data, devices, **options)
    assert list(several[0]) == list(one[0])
    for name, values in one[0].items():
        np.testing.assert_allclose(several[0][name], values, **CLOSE, err_msg=name)
        if "accuracy" in name:  # a count of samples: each once
            np.testing.assert_allclose(several[0][name], values, rtol=1e-6)
    for a, b in zip(one[1], several[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


PROGRAM = """
import json, os, sys
import json

import numpy as np
import keras
from PIL import Image

def main():
    if not os.path.isdir("sixty"):
        rng = np.random.default_rng(0)
        for number in range(60):
            os.makedirs(f"sixty/{number % 2}", exist_ok=True)
            pixels = rng.integers(0, 128, (6, 6, 3)) + 100 * (number % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(f"sixty/{number % 2}/{number}.png")
    histories = []
    for size in (10, 12):  # six batches and five
        data = keras.utils.image_dataset_from_directory(
            "sixty", image_size=(6, 6), batch_size=size, shuffle=False, verbose=False
        )
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [keras.Input((6, 6, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.0), loss, metrics=["accuracy"])
        options = dict(accelerator="cpu", strategy=sys.argv[1], devices=int(sys.argv[2]))
        histories.append(model.fit(data, validation_data=data, epochs=2, verbose=0, **options).history)
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        print(json.dumps(histories))

if __name__ == "__main__":
    main()
"""


@pytest.mark.soak
def test_programs_on_folders_of_images_count_as_on_one_device(tmp_path):
    """Datasets whose batches do not divide, in processes that Lightning starts or spawns."""
    (tmp_path / "program.py").write_text(PROGRAM)
    found = []
    for words in (("auto", 1), ("ddp", 2), ("ddp_spawn", 2)):
        done = run_program("program.py", *words, cwd=tmp_path, timeout=100)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    for several in found[1:]:
        for mine, theirs in zip(several, found[0], strict=True):
            assert set(mine) == {"accuracy", "loss", "val_accuracy", "val_loss"}
            for name, values in theirs.items():
                np.testing.assert_allclose(mine[name], values, rtol=1e-6, err_msg=name)
