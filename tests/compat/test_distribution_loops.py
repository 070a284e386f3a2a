"""TensorFlow's tutorial on custom loops with `tf.distribute.Strategy`, on the one device that there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

LOOP = """
import numpy as np, tensorflow as tf

strategy = tf.distribute.MirroredStrategy()
assert strategy.num_replicas_in_sync == 1
BATCH = 8 * strategy.num_replicas_in_sync
rng = np.random.default_rng(0)
images, labels = rng.normal(size=(24, 6)).astype("float32"), rng.integers(0, 3, 24)

with strategy.scope():
    assert tf.distribute.has_strategy() and tf.distribute.get_strategy() is strategy
    assert tf.distribute.in_cross_replica_context() and tf.distribute.get_replica_context() is None
    loss_object = tf.keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=tf.keras.losses.Reduction.NONE)
    accuracy = tf.keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    test_loss = tf.keras.metrics.Mean(name="test_loss")
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(6,))])
    optimizer = tf.keras.optimizers.SGD(0.1)

def train_step(inputs):
    images, labels = inputs
    assert tf.distribute.get_replica_context().replica_id_in_sync_group == 0
    with tf.GradientTape() as tape:
        predictions = model(images, training=True)
        loss = tf.nn.compute_average_loss(loss_object(labels, predictions), global_batch_size=BATCH)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    accuracy.update_state(labels, predictions)
    return loss

@tf.function
def distributed_train_step(inputs):
    per_replica = strategy.run(train_step, args=(inputs,))
    return strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)

dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH)
losses = []
for _ in range(20):
    total, batches = 0.0, 0
    for batch in strategy.experimental_distribute_dataset(dataset):
        total += distributed_train_step(batch)
        batches += 1
    losses.append(float(total) / batches)
assert losses[-1] < losses[0] and 0 <= float(accuracy.result()) <= 1

# The same in plain Python gives the same numbers.
tf.keras.utils.set_random_seed(0)
again = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(6,))])
again.compile(tf.keras.optimizers.SGD(0.1), tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
again.fit(images, labels, batch_size=BATCH, epochs=20, shuffle=False, verbose=0)
np.testing.assert_allclose(model.get_weights()[0], again.get_weights()[0], rtol=1e-4, atol=1e-6)
"""

VALUES = """
import tensorflow as tf

for strategy in (tf.distribute.MirroredStrategy(["/gpu:0"], cross_device_ops=tf.distribute.HierarchicalCopyAllReduce()),
                 tf.distribute.OneDeviceStrategy("/cpu:0"), tf.distribute.MultiWorkerMirroredStrategy(),
                 tf.distribute.experimental.CentralStorageStrategy(), tf.distribute.get_strategy()):
    numbers = tf.constant([1.0, 2.0, 6.0])
    assert float(strategy.reduce("SUM", numbers, axis=0)) == 9
    assert float(strategy.reduce(tf.distribute.ReduceOp.MEAN, numbers, axis=0)) == 3
    assert float(strategy.reduce("mean", tf.constant([1, 2]), axis=0)) == 1.5
    assert strategy.reduce("SUM", numbers, axis=None).numpy().tolist() == [1, 2, 6]
    result = strategy.run(lambda a, b: a + b, (tf.constant(1),), {"b": 2})
    assert [int(value) for value in strategy.experimental_local_results(result)] == [3]
    made = strategy.distribute_datasets_from_function(
        lambda context: tf.data.Dataset.range(8).batch(context.get_per_replica_batch_size(4)))
    assert len(list(made)) == 2
    assert strategy.experimental_distribute_values_from_function(lambda context: context.replica_id_in_sync_group) == 0
    try:
        strategy.reduce("MAX", numbers, axis=None)
    except ValueError as error:
        assert "SUM or MEAN" in str(error)
    else:
        raise SystemExit("taken")
assert not tf.distribute.has_strategy() and tf.distribute.get_replica_context() is not None
"""


@pytest.mark.parametrize("program", [LOOP, VALUES], ids=["loop", "values"])
def test_distributed_programs_run_on_one_device(program: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program)
    done = run("program.py")
    assert done.returncode == 0, done.stderr
