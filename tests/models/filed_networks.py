"""Networks to put into files, in both libraries, and what must hold after reading: `same_outputs`, `go_on`."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
X = RNG.random((6, 8, 8, 3), dtype=np.float32)
Y = np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 1, 0]]
INFO = {
    "class_names": ["a", "b", "c"],
    "input_size": [8, 8],
    "rescale": 1 / 255,
    "color_mode": "rgb",
    "interpolation": "nearest",
}


def sequential(k):
    return k.Sequential(
        [
            k.Input((8, 8, 3)),
            k.layers.Conv2D(4, 3, activation="relu"),
            k.layers.BatchNormalization(),
            k.layers.LeakyReLU(),
            k.layers.MaxPooling2D(),
            k.layers.Dropout(0.0),
            k.layers.Flatten(),
            k.layers.Dense(3, activation="softmax"),
        ]
    )


def branched(k):
    inputs = k.Input((8, 8, 3))
    x = k.layers.Rescaling(1 / 2)(inputs)
    a = k.layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2", name="a")(x)
    b = k.layers.SeparableConv2D(4, 3, padding="same", name="b")(x)
    x = k.layers.Add()([a, b]) * 2.0
    x = k.layers.PReLU(shared_axes=[1, 2])(x)
    return k.Model(inputs, k.layers.Dense(3, activation="softmax")(k.layers.GlobalAveragePooling2D()(x)))


def nested(k):
    """A Sequential and a functional model inside, the latter twice; sharing across levels Keras cannot write.

    No bias before BatchNormalization: its gradient is rounding noise, of which Adam makes steps.
    """
    inner_in = k.Input((8, 8, 4))
    inner = k.Model(
        inner_in,
        k.layers.BatchNormalization()(k.layers.Conv2D(4, 3, padding="same", use_bias=False)(inner_in)),
        name="inner",
    )
    deep = k.Sequential(
        [k.Input((8, 8, 4)), k.layers.Conv2D(4, 1, use_bias=False), k.layers.BatchNormalization()], name="deep"
    )
    base = k.Sequential([k.Input((8, 8, 3)), k.layers.Conv2D(4, 1), deep, k.layers.ReLU()], name="base")
    inputs = k.Input((8, 8, 3))
    x = inner(base(inputs))
    x = k.layers.Concatenate()([x, inner(x)])  # a shared sub-model
    return k.Model(inputs, k.layers.Dense(3, activation="softmax")(k.layers.GlobalMaxPooling2D()(x)))


NETWORKS = [sequential, branched, nested]


def trained(k, network, optimizer=None):
    model = network(k)
    model.compile(optimizer or k.optimizers.Adam(0.01, epsilon=1e-3), "categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return model


def go_on(*models):
    """One more epoch each: equal weights show that weights, slots, step count and rate came over."""
    for model in models:
        model.fit(X, Y, batch_size=4, epochs=1, shuffle=False, verbose=0)
    first, *rest = (model.get_weights() for model in models)
    for other in rest:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)


def same_outputs(*models, atol=1e-5):
    first, *rest = (model.predict(X, verbose=0) for model in models)
    for other in rest:
        np.testing.assert_allclose(other, first, atol=atol)
