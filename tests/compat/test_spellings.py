"""Every spelling under which programs import Keras' data sets, TensorFlow's short names and TensorFlow's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scene_lightning.compat.import_map import place_of

DATASETS = """
import numpy as np
from keras.datasets import mnist
from tensorflow.keras.datasets import mnist as second
import tensorflow.keras.datasets.mnist as third
from tensorflow.python.keras.datasets import mnist as fourth
from tensorflow.python.keras.datasets.mnist import load_data
import tensorflow as tf, keras, tf_keras
from keras.datasets import imdb, reuters, boston_housing
expected = keras.datasets.mnist.load_data()[0][0]
assert expected.shape == (4, 28, 28)
for module in (mnist, second, third, fourth, tf_keras.datasets.mnist, tf.keras.datasets.mnist,
               tf.compat.v1.keras.datasets.mnist):
    assert module.load_data is load_data
for load in (load_data, mnist.load_data):
    assert np.array_equal(load()[0][0], expected)
assert len(keras.datasets.mnist.load_data(path="mnist.npz")[0][0]) == 4
for call, words in (
    (tf.keras.datasets.fashion_mnist.load_data, ("fashion-mnist/train-labels-idx1-ubyte.gz", "datasets")),
    (tf.keras.datasets.cifar10.load_data, ("cifar-10-python.tar.gz", "datasets")),
    (lambda: imdb.load_data(num_words=10), ("keras.datasets.imdb.load_data", "texts")),
    (lambda: boston_housing.load_data(), ("keras.datasets.boston_housing.load_data", "houses")),
):
    try:
        call()
    except Exception as error:
        assert all(word in str(error) for word in words), error
        assert ("unsupported" in type(error).__name__.lower()) == ("keras.datasets" in words[0])
    else:
        raise AssertionError(call)
print("read")
from tensorflow.examples.tutorials.mnist import input_data
import tensorflow_datasets as tfds
try:
    tfds.load("mnist")
except NotImplementedError as error:
    assert "keras.datasets" in str(error) and "tensorflow_datasets.load" in str(error), error
try:
    import tensorflow_hub
except ImportError:
    print("no hub")
input_data.read_data_sets("MNIST_data", one_hot=True)
"""


def test_data_sets_in_every_spelling(run, tmp_path: Path) -> None:
    folder = tmp_path / "keras" / "datasets"
    folder.mkdir(parents=True)
    pixels = np.arange(4 * 784, dtype=np.uint8).reshape(4, 28, 28)
    np.savez(folder / "mnist.npz", x_train=pixels, y_train=np.arange(4), x_test=pixels, y_test=np.arange(4))
    script = tmp_path / "datasets.py"
    script.write_text(DATASETS)
    done = run(script, env={"KERAS_HOME": str(tmp_path / "keras")})
    assert done.stdout == "read\nno hub\n", done.stderr
    assert "tensorflow.examples.tutorials.mnist.input_data.read_data_sets is not supported" in done.stderr
    assert "keras.datasets.mnist.load_data()" in done.stderr


SHORT_NAMES = """
import tensorflow as tf
import tensorflow.compat.v2 as tf2
from tensorflow import keras, losses, metrics, optimizers, initializers
from tensorflow.losses import SparseCategoricalCrossentropy
from tensorflow.optimizers.schedules import ExponentialDecay
from tensorflow._api.v2.keras import layers as by_editor
from tensorflow_core.python.keras.layers import Dense
assert tf.losses.SparseCategoricalCrossentropy is SparseCategoricalCrossentropy is losses.SparseCategoricalCrossentropy
assert SparseCategoricalCrossentropy is keras.losses.SparseCategoricalCrossentropy
assert tf.metrics.Mean is keras.metrics.Mean is metrics.Mean is tf2.metrics.Mean is tf.compat.v2.metrics.Mean
assert tf.optimizers.Adam is keras.optimizers.Adam is tf2.optimizers.Adam and optimizers.SGD is keras.optimizers.SGD
assert tf.optimizers.schedules.ExponentialDecay is ExponentialDecay is keras.optimizers.schedules.ExponentialDecay
assert tf.initializers.HeNormal is keras.initializers.HeNormal is initializers.HeNormal
assert tf.compat.v1.initializers.HeNormal is initializers.HeNormal
assert tf.activations.relu is keras.activations.relu and tf2.keras.layers.Dense is keras.layers.Dense
assert Dense is by_editor.Dense is keras.layers.Dense is tf.compat.v1.keras.layers.Dense
assert tf.image.resize is tf2.image.resize and tf.compat.v2.nn.relu is tf.nn.relu
loss = tf.losses.CategoricalCrossentropy(from_logits=True)([[0., 1.]], [[0., 9.]])
assert 0 < float(loss) < 1e-3
total = tf.metrics.Mean(name="total"); total.update_state([1., 3.]); assert float(total.result()) == 2
dense = tf.keras.layers.Dense(2, input_shape=(3,), kernel_initializer=tf.initializers.GlorotUniform())
model = tf.keras.Sequential([dense])
model.compile(tf.optimizers.Adam(tf.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)), tf.losses.MeanSquaredError(),
              metrics=[tf.metrics.MeanAbsoluteError()])
from tensorflow.keras.mixed_precision import experimental as mixed_precision  # TensorFlow 2.1 to 2.3
mixed_precision.set_policy(mixed_precision.Policy("bfloat16"))
assert mixed_precision.global_policy().name == "bfloat16"
tf.keras.mixed_precision.experimental.set_policy("float32"); assert mixed_precision.global_policy().name == "float32"
assert tf.keras.layers.CategoryEncoding(num_tokens=3)([0, 2]).numpy().tolist() == [1, 0, 1]
assert tf.nest.flatten({"b": 2, "a": [1]}) == [1, 2]
assert tf.nest.map_structure(lambda x: 2 * x, (1, [2])) == (2, [4])
print("the same")
"""

OLD_TENSORFLOW = """
import tensorflow as tf
from keras import backend as K
config = tf.ConfigProto(); config.gpu_options.allow_growth = True
session = tf.Session(config=config); K.set_session(session)
session.run(tf.global_variables_initializer())
graph = tf.get_default_graph()
with graph.as_default(), session.as_default(), K.get_session().graph.as_default(), tf.Graph().as_default():
    pass
tf.reset_default_graph(); tf.logging.set_verbosity(tf.logging.ERROR); tf.set_random_seed(3)
assert tf.to_float([1, 2]).dtype == tf.float32 and int(tf.div(7, 2)) == 3 and tf.random_normal([2, 3]).shape == (2, 3)
with tf.control_dependencies([]):
    pass
flags = tf.app.flags
flags.DEFINE_string("name", "sea", "a name")
flags.DEFINE_integer(flag_name="epochs", default_value=2, docstring="how many")
FLAGS = flags.FLAGS
from tensorflow.python.framework import ops
import tensorflow.python.framework.ops as second
ops.reset_default_graph(); second.reset_default_graph()
from tensorflow.python.ops import control_flow_util, math_ops, nn_ops
control_flow_util.ENABLE_CONTROL_FLOW_V2 = True
from tensorflow.python.util import deprecation
deprecation._PRINT_DEPRECATION_WARNINGS = False
from tensorflow.python.ops import gen_array_ops
import tensorflow.python.ops.sparse_ops as sparse, tensorflow.contrib.slim as slim
from tensorflow.python.keras.utils import tf_utils
from tensorflow.python.framework.graph_util import convert_variables_to_constants
from tensorflow.python.platform import gfile
from tensorflow.python.lib.io import file_io
from tensorflow.python.ops.numpy_ops import np_config
import tensorflow_hub as hub, tensorflow_probability as tfp
np_config.enable_numpy_behavior()
assert float(math_ops.reduce_mean([1., 3.])) == 2 and float(nn_ops.relu(-1.)) == 0
assert gfile.Exists(__file__) and file_io.file_exists(__file__)

def main(argv):
    print(FLAGS.name, FLAGS.epochs, argv[1:])
    for use in (lambda: slim.conv2d(1), lambda: convert_variables_to_constants(1), lambda: hub.KerasLayer("x"),
                lambda: gen_array_ops.anything(), lambda: tfp.distributions.Normal(0, 1), lambda: session.run([3])):
        try:
            use()
        except NotImplementedError:
            continue
        raise AssertionError("nothing was said")

if __name__ == "__main__":
    tf.app.run()
"""


def test_the_short_names_of_tensorflow_are_keras_modules(run, tmp_path: Path) -> None:
    script = tmp_path / "short.py"
    script.write_text(SHORT_NAMES)
    done = run(script)
    assert done.returncode == 0 and done.stdout == "the same\n", done.stderr


def test_tensorflow_1_and_its_files_import_and_only_use_is_refused(run, tmp_path: Path) -> None:
    script = tmp_path / "old.py"
    script.write_text(OLD_TENSORFLOW)
    done = run(script, "--epochs", "3", "rest")
    assert done.returncode == 0 and done.stdout == "sea 3 ['rest']\n", done.stderr
    report = " ".join(done.stderr.partition("scene_lightning ran")[2].split())
    assert "Imported and never used: tensorflow.python.ops.sparse_ops. " in report
    assert "keras.utils.tf_utils" in report.partition("not supported when used: ")[2]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("tensorflow.losses", "keras.losses"),
        ("tensorflow.compat.v2.optimizers.schedules", "keras.optimizers.schedules"),
        ("tensorflow_core.python.keras.layers", "keras.layers"),
        ("tensorflow._api.v1.keras.datasets.mnist", "keras.datasets.mnist"),
        ("tensorflow.contrib.keras._impl.keras.layers", "keras.layers"),
        ("tensorflow.compat.v1.image", "tensorflow.compat.v1.image"),
    ],
)
def test_places(path: str, place: str) -> None:
    assert place_of(path).path == place and place_of(path).providers


HPARAMS = """
import numpy as np, tensorflow as tf
from tensorboard.plugins.hparams import api as hp
units = hp.HParam("units", hp.Discrete([4, 8])); best = hp.HParam("optimizer", hp.Discrete(["adam", "sgd"]))
with tf.summary.create_file_writer("logs").as_default():
    hp.hparams_config(hparams=[units, best], metrics=[hp.Metric("accuracy", display_name="Accuracy")])
chosen = {units: 4, best: "adam"}
model = tf.keras.Sequential([tf.keras.layers.Dense(chosen[units]), tf.keras.layers.Dense(2, activation="softmax")])
model.compile(chosen[best], "sparse_categorical_crossentropy", metrics=["accuracy"])
x, y = np.ones((4, 3)), np.array([0, 1, 0, 1])
model.fit(x, y, verbose=0, callbacks=[tf.keras.callbacks.TensorBoard("logs/run"), hp.KerasCallback("logs/run", chosen)])
with tf.summary.create_file_writer("logs/run").as_default():
    hp.hparams(chosen)
    tf.summary.scalar("accuracy", 0.5, step=1)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
import glob
found = set()
for path in glob.glob("logs/**/*tfevents*", recursive=True):
    events = EventAccumulator(path); events.Reload()
    found |= set(events.summary_metadata)
assert {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"} <= found, found
"""


def test_tensorboards_hyperparameters_are_written(run, tmp_path: Path) -> None:
    script = tmp_path / "hyper.py"
    script.write_text(HPARAMS)
    done = run(script)
    assert done.returncode == 0, done.stderr


TRIED = """
import tensorflow as tf
for use, words in (
    (lambda: tf.saved_model.load("x"), "keras.models.load_model(folder)"),
    (lambda: tf.keras.layers.TFSMLayer("x"), "keras.models.load_model(folder)"),
    (lambda: tf.lite.TFLiteConverter, "model.save('model.keras')"),
    (lambda: tf.keras.datasets.imdb.load_data(), "a folder of images"),
):
    try:
        use()
    except Exception as error:
        assert words in str(error), error
try:
    tf.saved_model.load("x")
except AttributeError as error:
    assert "keras.models.load_model(folder)" in str(error), error
"""


def test_a_name_that_a_program_only_tries_says_what_works_here(run, tmp_path: Path) -> None:
    script = tmp_path / "tried.py"
    script.write_text(TRIED)
    done = run(script)
    assert done.returncode == 0, done.stderr


NUMBERS = """
import tensorflow as tf, torch
for make in (torch.tensor, torch.as_tensor):
    assert make([torch.tensor(1), torch.tensor(2)]).tolist() == [1, 2]
    assert make([torch.tensor(1.0, dtype=torch.float64)]).dtype == torch.float64
    assert make([[torch.tensor(1), torch.tensor(2.5)]]).tolist() == [[1.0, 2.5]]
    assert make([torch.tensor(1), 2], dtype=torch.float32).dtype == torch.float32
    assert make([1, 2]).dtype == torch.int64 and make([True]).dtype == torch.bool and make(3.0).ndim == 0
assert tf.constant([[1, 2, 3]])[..., ::-1].numpy().tolist() == [[3, 2, 1]]
"""


def test_lists_of_numbers_that_are_tensors_become_tensors(run, tmp_path: Path) -> None:
    """Tensors that Python indexes, for the sake of `image[..., ::-1]`, look like sequences to torch."""
    script = tmp_path / "listed.py"
    script.write_text(NUMBERS)
    done = run(script)
    assert done.returncode == 0, done.stderr
