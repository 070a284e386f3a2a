"""What older Keras had under its own paths, as programs import it through the runner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras.src.applications.imagenet_utils import correct_pad as expected

import scene_lightning
from scene_lightning.compat.keras_legacy.applications import correct_pad

PROGRAM = """
import numpy as np
import keras
from keras import backend as K
from keras.applications.imagenet_utils import _obtain_input_shape
from keras.engine.topology import get_source_inputs, Container
from keras.initializations import he_normal
from keras.layers import Convolution2D, Dense, Flatten, Input, merge
from keras.models import Model, Sequential, model_from_yaml
from keras.regularizers import WeightRegularizer, activity_l2, l1l2, l2
from keras.utils.layer_utils import convert_all_kernels_in_model, print_summary
from keras.utils.np_utils import probas_to_classes
from keras.utils.training_utils import multi_gpu_model
from keras.utils.visualize_util import plot

shape = _obtain_input_shape(None, default_size=32, min_size=8, dim_ordering=K.image_dim_ordering(), include_top=False)
assert shape == (None, None, 3)
assert _obtain_input_shape((3, 9, 9), 32, 8, data_format="channels_first", require_flatten=True) == (3, 9, 9)
inputs = Input(shape=(8, 8, 3))
x = Convolution2D(4, 3, 3, W_regularizer=l1l2(l1=0.1, l2=0.2), b_regularizer=WeightRegularizer(l2=0.1),
                  activity_regularizer=activity_l2(0.01), init="he_normal")(inputs)
model = Model(input=inputs, output=Dense(2, activation="softmax", W_regularizer=l2(0.1))(Flatten()(x)))
assert get_source_inputs(x) == [inputs] and isinstance(model, Container)
first = model.get_config()["layers"][1]["config"]["kernel_regularizer"]["config"]
assert [round(first[key], 3) for key in ("l1", "l2")] == [0.1, 0.2]
model = multi_gpu_model(model, gpus=2)
model.compile("sgd", "categorical_crossentropy")
model.fit(np.ones((4, 8, 8, 3)), np.eye(2)[[0, 1, 0, 1]], nb_epoch=1, verbose=0)
assert probas_to_classes(model.predict(np.ones((3, 8, 8, 3)))).shape == (3,)
assert probas_to_classes(np.array([[0.2], [0.7]])).tolist() == [0, 1]
again = model_from_yaml(model.to_yaml())
convert_all_kernels_in_model(again)
again.set_weights(model.get_weights())
print_summary(again)
print(again.count_params())
"""


def test_former_names(tmp_path: Path, run: Callable[..., Any]) -> None:
    program = tmp_path / "old.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = run(program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{112 + 6 * 6 * 4 * 2 + 2}\n")
    assert "multi_gpu_model(gpus=2) (use --devices)" in " ".join(done.stderr.split())


def test_correct_pad_is_keras() -> None:
    for side, kernel in [(64, 3), (63, 3), (32, 5), (None, 3)]:
        shape = (side, side, 3)
        assert correct_pad(scene_lightning.Input(shape), kernel) == expected(keras.Input(shape), kernel)
