"""Models and layers of one's own: `call(training=)`, lists of layers, `add_weight`, configs; against the real Keras."""

from __future__ import annotations

import keras as real_keras
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import UnsupportedError

X = np.random.default_rng(0).random((6, 8, 8, 3), dtype=np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])


def make_classes(k):
    """The same user code for either library."""

    class Scale(k.layers.Layer):
        def __init__(self, start=1.0, **kwargs):
            super().__init__(**kwargs)
            self.start = start

        def build(self, input_shape):
            self.scale = self.add_weight(
                shape=(input_shape[-1],), initializer=k.initializers.Constant(self.start), trainable=True, name="scale"
            )
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

        def call(self, inputs):
            return inputs * self.scale

        def get_config(self):
            return {**super().get_config(), "start": self.start}

    class Net(k.Model):
        def __init__(self, widths=(4, 4), **kwargs):
            super().__init__(**kwargs)
            self.widths = list(widths)
            self.blocks = [k.layers.Conv2D(width, 3, padding="same", activation="relu") for width in widths]
            self.norm = k.layers.BatchNormalization()
            self.scale = Scale(2.0)
            self.drop = k.layers.Dropout(0.5)
            self.pool = k.layers.GlobalAveragePooling2D()
            self.head = k.layers.Dense(3, activation="softmax")

        def call(self, inputs, training=False):
            x = inputs
            for block in self.blocks:
                x = block(x)
            x = self.norm(x, training=training)
            if training:
                x = x * 1.0
            return self.head(self.pool(self.scale(x)))

        def get_config(self):
            return {**super().get_config(), "widths": self.widths}

    return Scale, Net


Scale, Net = make_classes(keras)
TheirScale, TheirNet = make_classes(real_keras)


def built_pair():
    ours, theirs = Net(), TheirNet()
    ours(X)
    theirs(X)
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def test_subclass_weights_come_in_keras_order():
    ours, theirs = Net(), TheirNet()
    assert ours.weights == [] and not ours.built
    ours(X), theirs(X)
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert [tuple(w.shape) for w in ours.trainable_weights] == [tuple(w.shape) for w in theirs.trainable_weights]
    assert [type(a).__name__ for a in ours.layers] == [type(a).__name__ for a in theirs.layers]
    assert ours.count_params() == theirs.count_params()


def test_subclass_trains_as_in_keras():
    ours, theirs = built_pair()
    for model, k in ((ours, keras), (theirs, real_keras)):
        model.compile(k.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    here = ours.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    there = theirs.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    assert list(here.history) == list(there.history)
    for name in here.history:
        np.testing.assert_allclose(here.history[name], there.history[name], rtol=1e-4)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_subclass_is_built_by_the_first_batch_of_fit():
    model = Net()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    assert model.built and len(model.trainable_weights) == 9


def test_subclass_build_with_a_shape():
    model = Net()
    model.build((None, 8, 8, 3))
    assert model.built and model.predict(X, verbose=0).shape == (6, 3)
    lines = []
    model.summary(print_fn=lines.append)
    assert "conv2d" in "\n".join(lines)


def test_custom_layer_in_a_sequential_and_its_config():
    model = keras.Sequential([keras.Input((8, 8, 3)), Scale(3.0, name="mine"), keras.layers.Flatten()])
    np.testing.assert_allclose(model.predict(X, verbose=0), 3 * X.reshape(6, -1), rtol=1e-6)
    assert [w.shape for w in model.get_layer("mine").get_weights()] == [(3,), ()]
    assert model.get_layer("mine").get_config()["start"] == 3.0
    copy = keras.models.model_from_json(model.to_json(), custom_objects={"Scale": Scale})
    assert copy.get_layer("mine").start == 3.0
    with pytest.raises(UnsupportedError, match="Scale"):
        keras.models.model_from_json(model.to_json())
    assert keras.models.clone_model(model).get_layer("mine").start == 3.0


def test_subclass_config_round_trip():
    model = Net(widths=(4, 8), name="net")
    copy = Net.from_config(model.get_config())
    assert copy.name == "net" and copy.widths == [4, 8]

    class Bare(keras.Model):
        def __init__(self, units=2):
            super().__init__()
            self.head = keras.layers.Dense(units)

        def call(self, x):
            return self.head(x)

    bare = Bare(7)
    copy = Bare.from_config(bare.get_config())
    assert copy.head.units == 7 and copy.name == bare.name


def test_layers_in_dicts_appended_lists_and_nested_models_are_tracked():
    class Many(keras.Model):
        def __init__(self):
            super().__init__()
            self.by_name = {"a": keras.layers.Dense(2), "b": keras.layers.Dense(3)}
            self.stack = []
            for _ in range(2):
                self.stack.append(keras.layers.Dense(4))
            self.inner = keras.Sequential([keras.layers.Dense(5)])

        def call(self, x):
            x = self.by_name["b"](self.by_name["a"](x))
            for layer in self.stack:
                x = layer(x)
            return self.inner(x)

    model = Many()
    assert model.predict(X[:, 0, 0], verbose=0).shape == (6, 5)
    assert len(model.weights) == 10 and len(list(model.parameters())) == 10
    model.trainable = False
    assert model.trainable_weights == [] and not any(p.requires_grad for p in model.parameters())


def test_freezing_before_building_holds():
    model = Net()
    model.trainable = False
    model(X)
    assert model.trainable_weights == []
    before = model.get_weights()
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        history = model.fit(X, Y, verbose=0).history
    assert len(history["loss"]) == 1
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_add_loss_and_activity_regularizer_join_the_loss():
    def make(k):
        class Penalty(k.layers.Layer):
            def call(self, inputs):
                self.add_loss(0.1 * (inputs**2).mean())
                return inputs

        return k.Sequential(
            [
                k.Input((8, 8, 3)),
                k.layers.Flatten(),
                k.layers.Dense(4, activity_regularizer="l2"),
                Penalty(),
                k.layers.Dense(3, activation="softmax", kernel_regularizer=k.regularizers.L2(0.01)),
            ]
        )

    ours, theirs = make(keras), make(real_keras)
    theirs.set_weights(ours.get_weights())
    logs = []
    for model in (ours, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy")
        history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, validation_data=(X, Y), verbose=0).history
        logs.append((history["loss"], history["val_loss"], model.evaluate(X, Y, verbose=0)))
    np.testing.assert_allclose(
        logs[0][0] + logs[0][1] + [logs[0][2]], logs[1][0] + logs[1][1] + [logs[1][2]], rtol=1e-5
    )


def test_a_subclass_may_override_training_step():
    class Doubled(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(3, activation="softmax")
            self.seen = 0

        def call(self, x):
            return self.head(x)

        def training_step(self, batch, batch_idx):
            self.seen += 1
            return 2 * super().training_step(batch, batch_idx)

    model = Doubled()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X[:, 0, 0], Y, batch_size=2, verbose=0)
    assert model.seen == 3


def test_train_step_may_be_overridden_and_its_logs_make_the_history():
    def make(k):
        class Own(k.Model):
            def __init__(self):
                super().__init__()
                self.head = k.layers.Dense(3)
                self.seen = 0.0

            def call(self, x):
                return self.head(x)

            def train_step(self, data):
                x, _ = data
                self(x)
                self.seen += len(x)
                return {"seen": self.seen}

        return Own()

    histories = []
    for k in (keras, real_keras):
        model = make(k)
        model.compile("sgd", "mse")
        histories.append(model.fit(X[:, 0, 0], X[:, 0, 1], batch_size=4, epochs=2, verbose=0).history)
    assert histories[0] == histories[1] == {"seen": [6.0, 12.0]}


def test_a_model_without_call_says_so():
    with pytest.raises(NotImplementedError, match="call"):
        keras.Model()(torch.zeros(1, 2))


def test_a_subclass_of_model_may_be_functional():
    def make(k):
        class Own(k.Model):
            pass

        inputs = k.Input((8, 8, 3))
        return Own(inputs, k.layers.Dense(3)(k.layers.Flatten()(inputs)))

    ours, theirs = make(keras), make(real_keras)
    assert type(ours).__name__ == type(theirs).__name__ == "Own"
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), atol=1e-5)
    assert [layer.name for layer in type(ours).from_config(ours.get_config()).layers] == [a.name for a in ours.layers]


def test_a_subclass_may_make_its_graph_in_its_constructor():
    class Own(keras.Model):
        def __init__(self, classes=3, **kwargs):
            inputs = keras.Input((8, 8, 3))
            outputs = keras.layers.Dense(classes)(keras.layers.Flatten()(inputs))
            super().__init__(inputs=inputs, outputs=outputs, **kwargs)

    model = Own(classes=4, name="own")
    assert model.predict(X, verbose=0).shape == (6, 4) and model.output_shape == (None, 4)
    copy = Own.from_config(model.get_config())
    assert copy.name == "own" and copy.output_shape == (None, 4)
    plain = keras.Model(model.input, model.layers[-1].output)
    assert type(plain).__name__ == "Functional"
