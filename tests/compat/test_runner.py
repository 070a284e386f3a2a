"""`python -m scene_lightning script.py`: what the script sees is what Python would show it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from scene_lightning.compat import runner
from scene_lightning.compat.command import names_a_program, parse
from scene_lightning.compat.magics import needs_shell
from scene_lightning.errors import InputError
from scene_lightning.training.engine import validation_plan

IDENTITIES = """
import sys, os
import keras, tensorflow as tf, tf_keras
import keras.layers.core, keras.engine.topology
from keras.layers.core import Dense
from keras.layers import *
from tensorflow.keras.layers import Dense as second, LSTM
from tensorflow.python.keras.layers.convolutional import Conv2D as old
from keras.layers.advanced_activations import LeakyReLU
from keras.preprocessing.image import ImageDataGenerator as one
from keras_preprocessing.image import ImageDataGenerator as two
from keras.utils.np_utils import to_categorical
from keras.wrappers.scikit_learn import KerasClassifier
from keras.datasets import cifar10
from tensorflow.python.framework import ops
from tensorflow.python.client import device_lib
try:
    from keras.layers import Nonsense
except ImportError:
    Nonsense = None
assert Dense is second is keras.layers.Dense is keras.layers.core.Dense is tf.keras.layers.Dense
assert Dense is tf.compat.v1.keras.layers.Dense is tf_keras.layers.Dense is keras.src.layers.core.Dense
assert old is Conv2D is Convolution2D and one is two and Nonsense is None
assert tf.keras.callbacks.Callback is keras.callbacks.Callback
assert isinstance(keras.Sequential(), keras.models.Model) and keras.engine.topology.Layer is keras.layers.Layer
assert __name__ == "__main__" and os.path.basename(__file__) == "script.py"
assert sys.argv[1:] == ["a", "--epochs", "3"] and sys.path[0] == os.path.dirname(os.path.abspath(__file__))
assert int(tf.__version__.split(".")[0]) == 2 and keras.__version__.startswith("3.")
print("all the same")
sys.exit(7)
"""

TENSORS = """
import numpy as np, tensorflow as tf
from tensorflow import keras
from tensorflow.keras import backend as K
tf.random.set_seed(1)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
y = model(np.ones((2, 4), "float32"))
assert y.numpy().shape == (2, 3) and isinstance(np.max(y), np.floating)
assert abs(100 * np.max(tf.nn.softmax(y[0])) - np.max(tf.nn.softmax(y[0]).numpy()) * 100) < 1e-3
assert (np.ones((2, 3), "float32") * y).shape == (2, 3) and y.get_shape().as_list() == [2, 3]
x = tf.Variable([3.0])
with tf.GradientTape() as tape:
    z = x * x
assert tape.gradient(z, x).numpy() == 6
with tf.GradientTape() as outer:
    with tf.GradientTape() as inner:
        z = x ** 3
    first = inner.gradient(z, x)
assert outer.gradient(first, x).numpy() == 18
image = tf.constant(np.arange(48).reshape(4, 4, 3).astype("uint8"))
assert tf.image.resize(image, (2, 2)).shape == (2, 2, 3)
assert tf.image.decode_png(tf.io.encode_png(image)).numpy().tolist() == image.numpy().tolist()
assert tf.image.convert_image_dtype(image, tf.float32).numpy().max() == np.float32(47 / 255)
names = np.array(["sea", "street"])
path = tf.strings.split("a/street/1.jpg", "/")
assert tf.argmax(path[-2] == names) == 1
assert tf.reduce_sum(tf.one_hot([0, 2], 3), axis=0).numpy().tolist() == [1, 0, 1]
assert K.mean(tf.cast(tf.range(4), tf.float32)).numpy() == 1.5
assert tf.where(tf.constant([True, False]), 1, 2).numpy().tolist() == [1, 2]
inputs = keras.Input((8, 8, 3))
pooled = tf.concat([tf.reduce_mean(inputs, axis=[1, 2]), tf.reduce_max(inputs, axis=[1, 2])], axis=-1)
assert keras.Model(inputs, pooled)(np.ones((1, 8, 8, 3), "float32")).numpy().tolist() == [[1.0] * 6]
with tf.distribute.MirroredStrategy().scope(), tf.device("/GPU:0"):
    pass
config = tf.compat.v1.ConfigProto(); config.gpu_options.allow_growth = True
K.set_session(tf.compat.v1.Session(config=config))
try:
    tf.distribute.cluster_resolver.TPUClusterResolver()
except ValueError as error:
    print("no TPU")
"""


TABLES = """
import numpy as np, tensorflow as tf
names = tf.constant(["sea", "street"])
table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(names, tf.range(2)), -1)
assert table.lookup(tf.strings.split("a/street/1.jpg", "/")[-2]).numpy() == 1
assert table.lookup(tf.constant(["street", "?", "sea"])).numpy().tolist() == [1, -1, 0]
assert table.lookup(tf.constant("sea")).numpy() == 0 and int(table.size()) == 2
back = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tf.range(2), names), "x")
tags = back.lookup(tf.constant([1, 0, 9]))
assert [tag.numpy() for tag in tags] == [b"street", b"sea", b"x"]
assert back.lookup(tf.constant(1)).numpy() == b"street"
assert tf.compat.as_bytes("JFIF") == b"JFIF" == tf.compat.as_bytes(b"JFIF") and tf.compat.as_str(b"a") == "a"
"""


def test_every_old_path_gives_the_same_class_and_the_script_is_main(run, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(IDENTITIES)
    done = run(script, "a", "--epochs", "3", fork=False)
    assert done.returncode == 7, done.stderr
    assert done.stdout == "all the same\n"
    assert "keras.layers.Dense" in done.stderr and "KerasClassifier" in done.stderr


def test_the_stand_in_computes_what_tensorflow_would(run, tmp_path: Path) -> None:
    script = tmp_path / "tensors.py"
    script.write_text(TENSORS)
    done = run(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "no TPU\n"
    assert "tf.distribute.MirroredStrategy" in " ".join(done.stderr.split())


def test_names_that_are_only_imported_are_not_reported_as_used(run, tmp_path: Path) -> None:
    script = tmp_path / "imports.py"
    script.write_text(
        "from keras.layers import Dense, LSTM\nfrom keras.applications.nasnet import NASNetLarge\n"
        "from keras.utils import pad_sequences\nprint(Dense(2).units)\n"
    )
    done = run(script)
    assert done.returncode == 0 and done.stdout == "2\n", done.stderr
    report = " ".join(done.stderr.split())
    assert "symbols used (1): keras.layers.Dense. Imported, and not supported when used: " in report
    after = report.partition("not supported when used: ")[2]
    assert all(name in after for name in ("keras.layers.LSTM", "nasnet.NASNetLarge", "keras.utils.pad_sequences"))


NOTEBOOK_AS_SCRIPT = """
import numpy as np
%matplotlib inline
import matplotlib.pyplot as plt
get_ipython().run_line_magic('load_ext', 'tensorboard.notebook')
get_ipython().run_line_magic('tensorboard', '--logdir logs')
!echo from the system
folders = !echo one two
if folders:
    %matplotlib inline
display(folders[0])
plt.plot([1, 2])
plt.show()
assert __name__ == "__main__"
raise KeyError("line fifteen")
"""


def test_a_notebook_saved_as_a_script_runs_as_under_ipython(run, tmp_path: Path) -> None:
    script = tmp_path / "saved.py"
    script.write_text(NOTEBOOK_AS_SCRIPT)
    done = run(script)
    assert done.stdout.split() == ["from", "the", "system", "'one", "two'"], done.stderr
    assert f'File "{script}", line 15, in <module>' in done.stderr and "site-packages" not in done.stderr
    report = " ".join(done.stderr.partition("scene_lightning ran")[2].split())
    assert "%matplotlib inline (it is for a notebook's screen)" in report and "%tensorboard --logdir logs" in report


def test_text_that_is_python_needs_no_shell() -> None:
    assert not needs_shell('x = 7 \\\n  % 4\ny = """\n%matplotlib inline\n!ls\n"""\n')
    assert needs_shell("%matplotlib inline") and needs_shell("def f():\n    !ls\n") and needs_shell("get_ipython()")


def test_tables_and_bytes_are_tensorflows(run, tmp_path: Path) -> None:
    script = tmp_path / "tables.py"
    script.write_text(TABLES)
    done = run(script)
    assert done.returncode == 0, done.stderr


def test_an_error_is_shown_as_python_would_with_symbol_line_and_way(run, tmp_path: Path) -> None:
    script = tmp_path / "lite.py"
    lines = ["import tensorflow as tf", "", "def convert():", "    tf.lite.TFLiteConverter()", "", "convert()"]
    script.write_text("\n".join(lines))
    done = run(script)
    trace, _, report = done.stderr.partition("scene_lightning ran")
    assert done.returncode == 1 and report
    assert trace.count("File ") == 2 and f'File "{script}", line 6, in <module>' in trace
    assert "scene_lightning/" not in trace
    assert "tensorflow.lite" in trace and "lite.py, line 4" in trace and "model.save" in trace


@pytest.mark.parametrize(("words", "cure"), [
    (["missing.py"], "no file 'missing.py'"),
    (["--limit-epochs", "0", "empty.py"], "at least 1"),
    (["--limit-epochs", "x", "empty.py"], "invalid int value"),
    (["--accelerator", "tpu", "empty.py"], "Unknown accelerator"),
    (["--accelerator", "cpu", "--devices", "9999", "empty.py"], "wait for one another"),
    (["--limit-epoch", "1", "empty.py"], "no option '--limit-epoch'. Did you mean '--limit-epochs'? Its options are "),
    (["--gpu", "empty.py"], "no option '--gpu'"),
])  # fmt: skip
def test_what_cannot_start_gets_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], cure: str
) -> None:
    (tmp_path / "empty.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert runner.run(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and cure in said


def test_words_that_name_no_program_go_to_the_command_line() -> None:
    assert names_a_program(["x.py"]) and names_a_program(["--limit-epochs", "2", "--devices=2", "x.ipynb", "--output"])
    assert not names_a_program([]) and not names_a_program(["train", "x.py"]) and not names_a_program(["--help"])


def test_help_names_the_runners_options(run) -> None:
    done = run("--help")
    assert done.returncode == 0 and "scene-lightning demo" in done.stdout
    assert "notebook.ipynb" in done.stdout and "--limit-epochs" in done.stdout and "--output" in done.stdout
    assert done.stdout.lower().count("usage:") == 1  # one page


SPAWNED = """
import numpy as np
import keras
from keras.layers import Dense

class Scaled(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def main():
    model = keras.Sequential([keras.Input((3,)), Scaled(), Dense(2)])
    model.compile("sgd", "mse")
    options = dict(accelerator="cpu", devices=2, strategy="ddp_spawn")
    history = model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0, epochs=2, batch_size=2, **options)
    print("losses", len(history.history["loss"]), history.history["loss"][0] > history.history["loss"][1])

"""


@pytest.mark.soak
def test_spawned_processes_find_keras_here_too(run, tmp_path: Path) -> None:
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED + "if __name__ == '__main__':\n    main()\n")
    done = run(script)
    assert done.returncode == 0 and done.stdout == "losses 2 True\n", done.stderr
    assert done.stderr.count("scene_lightning ran") == 1


@pytest.mark.soak
def test_a_program_without_a_guard_cannot_spawn(run, tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(SPAWNED.replace("devices=2", "devices=1") + "main()\n")
    done = run(script)
    assert done.returncode == 1 and 'if __name__ == "__main__"' in done.stderr


def test_options_after_a_script_are_the_scripts(tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text("")
    request = parse(["--limit-epochs", "2", str(script), "--limit-epochs", "9"])
    assert request.limit_epochs == 2 and request.arguments == ["--limit-epochs", "9"]
    with pytest.raises(InputError, match="for notebooks"):
        parse(["--output", "y.ipynb", str(script)])


def test_an_interrupted_fit_ends_the_traceback_in_the_script(run, tmp_path: Path) -> None:
    script = tmp_path / "stop.py"
    script.write_text(
        "import keras, numpy as np, os, signal\n"
        "model = keras.Sequential([keras.layers.Dense(2, input_shape=(3,))])\n"
        "model.compile('sgd', 'mse')\n"
        "stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: os.kill(os.getpid(), signal.SIGINT))\n"
        "model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0, epochs=5, callbacks=[stop])\n"
    )
    done = run(script)
    trace = done.stderr.partition("scene_lightning ran")[0]
    assert done.returncode == 130 and trace.count("File ") == 1 and "KeyboardInterrupt" in trace


@pytest.mark.parametrize("frequency", [1, 3, [2, 4]])
def test_a_plan_of_validations_travels_to_spawned_processes(frequency: object) -> None:
    plan = validation_plan(frequency, True)
    again = pickle.loads(pickle.dumps(plan))
    assert [again(epoch) for epoch in range(6)] == [plan(epoch) for epoch in range(6)]
    assert not pickle.loads(pickle.dumps(validation_plan(frequency, False)))(0)
