"""`Sequential`: every way to give it layers and a shape, against the real Keras."""

from __future__ import annotations

import keras as real_keras
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import InputError

X = np.random.default_rng(0).random((4, 8, 8, 3), dtype=np.float32)


def _stack(k):
    return [
        k.layers.Conv2D(4, 3, activation="relu", padding="same"),
        k.layers.BatchNormalization(),
        k.layers.MaxPooling2D(),
        k.layers.Flatten(),
        k.layers.Dense(3, activation="softmax"),
    ]


def _by_list(k):
    return k.Sequential([k.Input((8, 8, 3)), *_stack(k)])


def _by_input_layer(k):
    return k.Sequential([k.layers.InputLayer(shape=(8, 8, 3)), *_stack(k)])


def _by_add(k):
    model = k.models.Sequential()
    model.add(k.Input(shape=(8, 8, 3)))
    for layer in _stack(k):
        model.add(layer)
    return model


def _by_input_shape(k):
    first, *rest = _stack(k)
    first = k.layers.Conv2D(4, 3, activation="relu", padding="same", input_shape=(8, 8, 3))
    return k.Sequential([first, *rest])


def _by_build(k):
    model = k.Sequential(_stack(k))
    model.build((None, 8, 8, 3))
    return model


def _by_first_batch(k):
    model = k.Sequential(_stack(k))
    model(torch.from_numpy(X))
    return model


WAYS = [_by_list, _by_input_layer, _by_add, _by_input_shape, _by_build, _by_first_batch]


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_same_network_as_keras(way):
    real_keras.backend.clear_session()
    ours, theirs = way(keras), way(real_keras)
    assert ours.name == theirs.name == "sequential"
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    if way is not _by_first_batch:  # Keras keeps the size of that batch
        assert ours.input_shape == theirs.input_shape and ours.output_shape == theirs.output_shape
    assert ours.built and ours.count_params() == theirs.count_params()
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), atol=1e-6)


def test_deferred_build_has_no_weights_until_the_shape_is_known():
    model = keras.Sequential(_stack(keras))
    assert not model.built and model.weights == []
    for ask in (model.count_params, lambda: model.output, lambda: model.save("x.keras")):
        with pytest.raises(InputError, match=r"build"):
            ask()
    assert model.predict(X, verbose=0).shape == (4, 3)
    assert model.built and len(model.weights) == 8


def test_pop_and_add_change_the_head():
    for k in (keras, real_keras):
        model = _by_list(k)
        kept = model.get_weights()
        model.pop()
        assert len(model.layers) == 4 and model.output_shape == (None, 64)
        model.add(k.layers.Dense(2, name="head"))
        assert model.predict(X, verbose=0).shape == (4, 2)
        assert model.layers[-1].name == "head" and len(model.weights) == 8
        np.testing.assert_array_equal(model.get_weights()[0], kept[0])
    deferred = keras.Sequential(_stack(keras))
    deferred.pop()
    assert deferred.predict(X, verbose=0).shape == (4, 64)


def test_pop_everything_and_start_again():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.pop()
    assert model.layers == []
    with pytest.raises(InputError, match="no layers"):
        model.pop()
    model.add(keras.layers.Dense(3))
    assert model.output_shape == (None, 3)


def test_a_subclass_that_adds_its_own_layers():
    class Mine(keras.Sequential):
        def __init__(self, units=2, **kwargs):
            super().__init__(**kwargs)
            self.add(keras.layers.Flatten())
            self.add(keras.layers.Dense(units))

    model = Mine(units=5)
    assert model.predict(X, verbose=0).shape == (4, 5)
    assert Mine.from_config(model.get_config()).predict(X, verbose=0).shape == (4, 5)
    assert keras.models.clone_model(model).predict(X, verbose=0).shape == (4, 5)


def test_a_model_inside_a_sequential():
    def make(k):
        base = k.Sequential([k.Input((8, 8, 3)), k.layers.Conv2D(4, 3), k.layers.BatchNormalization()], name="base")
        return k.Sequential([base, k.layers.GlobalAveragePooling2D(), k.layers.Dense(3, activation="softmax")])

    ours, theirs = make(keras), make(real_keras)
    assert next(layer.name for layer in ours.layers) == "base"
    assert ours.built and ours.input_shape == theirs.input_shape
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), atol=1e-6)
    ours.get_layer("base").trainable = False
    theirs.get_layer("base").trainable = False
    assert len(ours.trainable_weights) == len(theirs.trainable_weights) == 2
    assert len(ours.non_trainable_weights) == len(theirs.non_trainable_weights) == 6


def test_layers_cut_from_a_sequential_make_a_feature_extractor():
    model = _by_list(keras)
    features = keras.Model(inputs=model.input, outputs=model.layers[-2].output)
    assert features.predict(X, verbose=0).shape == (4, 64)
    assert features.layers[1] is model.layers[0]  # shared, not copied
    both = keras.Model(model.inputs, [layer.output for layer in model.layers])
    assert [out.shape for out in both.predict(X, verbose=0)] == [
        (4, 8, 8, 4), (4, 8, 8, 4), (4, 4, 4, 4), (4, 64), (4, 3)]  # fmt: skip


def test_sequential_called_on_a_symbolic_tensor():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, _by_list(keras)(inputs))
    assert model.output_shape == (None, 3)
    deferred = keras.Sequential(_stack(keras))
    assert keras.Model(inputs, deferred(inputs)).output_shape == (None, 3)
    assert len(deferred.weights) == 8


def test_get_layer_and_indices():
    model = _by_list(keras)
    assert model.get_layer("dense") is model.get_layer(index=-1) is model.layers[-1]
    for arguments, words in (((), "either"), (("nothing",), "No such layer: 'nothing'"), ((None, 9), "index 9")):
        with pytest.raises(InputError, match=words):
            model.get_layer(*arguments)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (lambda: [keras.layers.Dense(1, name="a"), keras.layers.Dense(1, name="a")], "unique names"),
        (lambda: [keras.layers.Dense(1), keras.Input((3,))], "Input must come first"),
        (lambda: [lambda x: x], "Only layers can be added"),
        (lambda: [torch.nn.functional.relu], "Lambda"),
        (lambda: [keras.layers.Dense], "Only layers can be added"),
    ],
)
def test_wrong_layers_are_named(layers, words):
    with pytest.raises(InputError, match=words):
        keras.Sequential(layers())


def test_wrong_batches_are_named():
    model = _by_list(keras)
    with pytest.raises(InputError, match="NHWC"):
        model.predict(X.transpose(0, 3, 1, 2), verbose=0)
    with pytest.raises(InputError, match="batch axis"):
        model(X[0])
    with pytest.raises(InputError, match=r"expects inputs of shape \(None, 8, 8, 3\)"):
        model.predict(X[:, :4], verbose=0)
    with pytest.raises(InputError, match=r"min_ndim|ndim"):
        keras.Sequential([keras.layers.Conv2D(2, 3)]).predict(X[:, 0, 0], verbose=0)


def test_config_round_trip_and_json_both_ways():
    ours = _by_list(keras)
    assert [w.shape for w in keras.Sequential.from_config(ours.get_config()).get_weights()] == [
        w.shape for w in ours.get_weights()]  # fmt: skip
    theirs = real_keras.models.model_from_json(ours.to_json())
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X, verbose=0), atol=1e-6)
    back = keras.models.model_from_json(theirs.to_json())
    assert isinstance(back, keras.Sequential)
    assert [layer.name for layer in back.layers] == [layer.name for layer in ours.layers]
    back.set_weights(ours.get_weights())
    np.testing.assert_array_equal(back.predict(X, verbose=0), ours.predict(X, verbose=0))
    deferred = keras.Sequential.from_config(keras.Sequential(_stack(keras)).get_config())
    assert not deferred.built and len(deferred.layers) == 5


def test_clone_has_fresh_weights():
    model = _by_list(keras)
    clone = keras.models.clone_model(model)
    assert clone.name == model.name and [a.name for a in clone.layers] == [a.name for a in model.layers]
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])

    def narrower(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D):
            config["filters"] = 2
        return type(layer).from_config(config)

    clone = keras.models.clone_model(model, clone_function=narrower)
    assert clone.layers[0].filters == 2 and clone.predict(X, verbose=0).shape == (4, 3)


def test_trainable_is_seen_by_the_optimiser_and_by_batch_normalisation():
    y = np.eye(3, dtype="float32")[[0, 1, 2, 0]]
    models = []
    for k in (keras, real_keras):
        model = _by_list(k)
        if models:
            model.set_weights(models[0].get_weights())
        models.append(model)
    before = models[0].get_weights()
    for model in models:
        model.layers[0].trainable = False
        model.layers[1].trainable = False
        model.compile("sgd", "categorical_crossentropy")
        model.fit(X, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    ours, theirs = (model.get_weights() for model in models)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for frozen in range(6):
        np.testing.assert_array_equal(ours[frozen], before[frozen])
    assert not np.array_equal(ours[6], before[6])
    models[0].trainable = True
    models[0].compile("sgd", "categorical_crossentropy")
    models[0].fit(X, y, verbose=0)
    assert not np.array_equal(models[0].get_weights()[0], before[0])
    assert not np.array_equal(models[0].get_weights()[4], before[4])


def test_summary_prints_to_a_function_and_shows_what_is_inside():
    lines: list[str] = []
    base = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="deep")], name="base")
    model = keras.Sequential([base, keras.layers.Flatten()])
    model.summary(print_fn=lambda line, **_: lines.append(line))
    assert "base" in "\n".join(lines) and "deep" not in "\n".join(lines)
    lines.clear()
    model.summary(expand_nested=True, print_fn=lambda line: lines.append(line))
    assert "deep" in "\n".join(lines)


def test_summary_of_a_model_without_shape_says_so(capsys):
    keras.Sequential([keras.layers.Dense(2)]).summary()
    out = capsys.readouterr().out
    assert "unbuilt" in out or "?" in out
