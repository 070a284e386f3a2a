"""Models through torch.export and into ONNX, with dynamic shapes named as their `call` names its inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import layers

X = np.random.default_rng(0).random((6, 8, 8, 3), dtype=np.float32)
BATCH = torch.export.Dim("batch")
pytestmark = pytest.mark.filterwarnings("ignore")


def sequential():
    torch.manual_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D()])
    model.add(layers.BatchNormalization())
    model.add(layers.Flatten())
    model.add(layers.Dense(3, activation="softmax"))
    return model


def two_inputs():
    image, meta = keras.Input((8, 8, 3), name="image"), keras.Input((4,), name="meta")
    return keras.Model([image, meta], layers.Dense(3)(layers.Concatenate()([layers.Flatten()(image), meta])))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv, self.pool = layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()
        self.drop, self.head = layers.Dropout(0.5), layers.Dense(3, activation="softmax")

    def call(self, pixels, training=None):
        return self.head(self.drop(self.pool(self.conv(pixels))))


def subclassed():
    model = Subclassed()
    model.build((None, 8, 8, 3))
    return model


PIXELS = torch.from_numpy(X[:2])
META = torch.rand(6, 4)
CASES = {
    "by position": (sequential, (PIXELS,), ({0: BATCH},), (torch.from_numpy(X),)),
    "by name": (sequential, (PIXELS,), {"inputs": {0: BATCH}}, (torch.from_numpy(X),)),
    "by the user's name": (subclassed, (PIXELS,), {"pixels": {0: BATCH}}, (torch.from_numpy(X),)),
    "several": (two_inputs, ([PIXELS, META[:2]],), {"inputs": [{0: BATCH}] * 2}, ([torch.from_numpy(X), META],)),
}


@pytest.mark.parametrize("case", CASES)
def test_torch_export_takes_the_names_of_call(case):
    make, example, shapes, inputs = CASES[case]
    model = make()
    exported = torch.export.export(model, example, dynamic_shapes=shapes).module()
    np.testing.assert_allclose(exported(*inputs).detach().numpy(), model(*inputs).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_onnx_with_any_batch_size(case, tmp_path):
    pytest.importorskip("onnxscript", reason="torch.onnx.export needs onnx and onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    make, example, shapes, inputs = CASES[case]
    model = make()
    path = str(tmp_path / "model.onnx")
    torch.onnx.export(model, example, path, dynamic_shapes=shapes, dynamo=True, verbose=False)
    session = runtime.InferenceSession(path)
    given = inputs[0] if isinstance(inputs[0], list) else [inputs[0]]
    names = [value.name for value in session.get_inputs()]
    assert all(value.shape[0] == "batch" for value in session.get_inputs())
    found = session.run(None, {name: value.numpy() for name, value in zip(names, given, strict=True)})[0]
    np.testing.assert_allclose(found, model(*inputs).detach().numpy(), atol=1e-5)


def test_inputs_by_name_and_training_by_position():
    model = sequential()
    np.testing.assert_array_equal(model(inputs=X).detach().numpy(), model(X).detach().numpy())
    dropped = subclassed()
    torch.manual_seed(0)
    by_position = dropped(X, True)
    torch.manual_seed(0)
    np.testing.assert_array_equal(by_position.detach().numpy(), dropped(pixels=X, training=True).detach().numpy())
    assert not np.array_equal(by_position.detach().numpy(), dropped(X).detach().numpy())
