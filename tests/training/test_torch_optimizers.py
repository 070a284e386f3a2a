"""`compile(optimizer=)` with torch's own optimizers: the same steps as by hand, Keras' learning rate, files, copies."""

from __future__ import annotations

import copy
import pickle
import warnings
from functools import partial

import lightning as L
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.random((24, 6, 6, 3), dtype=np.float32)
Y = RNG.integers(0, 3, 24)
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1}
QUIET |= {"logger": False, "enable_checkpointing": False}
pytestmark = pytest.mark.filterwarnings("ignore")


def loader():
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=4)


def network(**kwargs):
    torch.manual_seed(0)
    head = layers.Dense(3, activation="softmax", **kwargs)
    return keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(4, 3), layers.Flatten(), head])


def compiled(optimizer, **kwargs):
    model = network(**kwargs)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def by_hand(make, epochs=3):
    model = network()
    optimizer = make(list(model.parameters()))
    for _ in range(epochs):
        for x, y in loader():
            loss = torch.nn.functional.nll_loss(torch.log(model(x, training=True)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.get_weights()


def two_rates(params):
    return torch.optim.SGD([{"params": params[:2], "lr": 0.01}, {"params": params[2:]}], lr=0.1)


def assert_same(first, second, atol=1e-6):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


MAKES = {
    "class": torch.optim.AdamW,
    "partial": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "factory": lambda params: torch.optim.RMSprop(params, lr=0.01),
    "groups": two_rates,
}


@pytest.mark.parametrize("kind", MAKES)
def test_the_steps_are_torchs_own_in_fit_and_in_a_trainer(kind):
    make = MAKES[kind]
    model, driven = compiled(make), compiled(make)
    model.fit(loader(), epochs=3, verbose=0)
    trainer = L.Trainer(max_epochs=3, **QUIET)
    trainer.fit(driven, loader())
    expected = by_hand(make)
    assert_same(model.get_weights(), expected)
    assert_same(driven.get_weights(), expected)
    assert int(model.optimizer.iterations) == int(driven.optimizer.iterations) == 18
    assert type(trainer.optimizers[0]).__module__.startswith("torch.optim")


def test_an_instance_on_the_models_parameters():
    model = network()
    model.compile(torch.optim.AdamW(model.parameters(), lr=0.01), "sparse_categorical_crossentropy")
    model.fit(loader(), epochs=3, verbose=0)
    assert_same(model.get_weights(), by_hand(partial(torch.optim.AdamW, lr=0.01)))


def test_an_instance_on_some_of_them_leaves_the_others_alone():
    model = network()
    before = model.get_weights()
    model.compile(torch.optim.SGD(model.layers[-1].parameters(), lr=0.1), "sparse_categorical_crossentropy")
    model.fit(loader(), verbose=0)
    assert_same(model.get_weights()[:2], before[:2], atol=0)
    assert not np.allclose(model.get_weights()[2], before[2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.optim.AdamW(network().parameters()), "4 weights that are not this model's"),
        (lambda: lambda params: 3, "gave int, not a torch.optim.Optimizer"),
        (lambda: partial(torch.optim.SGD, learning_rate=0.1), "learning_rate"),
    ],
)
def test_a_wrong_one_is_refused_by_compile_which_changes_nothing(make, message):
    model = network()
    with pytest.raises(InputError, match=message):
        model.compile(make(), "mse")
    assert not model.compiled


def test_keras_callbacks_read_and_set_its_rate():
    model = compiled(torch.optim.AdamW)
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    assert model.fit(X, Y, epochs=2, verbose=0, callbacks=[halve]).history["learning_rate"] == [0.0005, 0.00025]
    model.optimizer.learning_rate = 0.3
    assert float(model.optimizer.learning_rate) == float(model.optimizer.lr) == 0.3
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", min_delta=10, patience=1, factor=0.1)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[plateau])
    assert model.optimizer.torch_optimizer(list(model.parameters())).param_groups[0]["lr"] == pytest.approx(0.03)


def test_setting_the_rate_keeps_the_ratio_of_the_groups():
    model = compiled(two_rates)
    model.optimizer.learning_rate = 0.02
    groups = model.optimizer.torch_optimizer(list(model.parameters())).param_groups
    assert [group["lr"] for group in groups] == pytest.approx([0.02, 0.2])


@pytest.mark.parametrize("make", [torch.optim.AdamW, partial(torch.optim.SGD, lr=0.05, momentum=0.9)])
def test_a_checkpoint_keeps_it_with_its_state(make, tmp_path):
    model = compiled(make)
    model.fit(loader(), epochs=2, verbose=0)
    model.save(tmp_path / "model.ckpt")
    loaded = keras.models.load_model(tmp_path / "model.ckpt")
    assert int(loaded.optimizer.iterations) == 12
    for one in (model, loaded):
        one.fit(loader(), epochs=2, verbose=0)
    assert_same(model.get_weights(), loaded.get_weights(), atol=0)


def test_a_keras_file_says_that_it_keeps_the_network_only(tmp_path):
    model = compiled(torch.optim.AdamW)
    for name in ("model.keras", "model.h5"):
        with pytest.warns(UserWarning, match=r"keeps the network and its weights, but not what compile\(\)"):
            model.save(tmp_path / name)
        loaded = keras.models.load_model(tmp_path / name)
        assert not loaded.compiled
        np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


def test_of_an_optimizer_that_no_file_can_hold_the_checkpoint_says_so(tmp_path):
    class Mine(torch.optim.SGD):
        pass

    for make in (Mine, two_rates):
        model = compiled(make)
        model.fit(loader(), verbose=0)
        with pytest.warns(UserWarning, match=r"Call compile\(\) again"):
            model.save(tmp_path / "model.ckpt")
        assert not keras.models.load_model(tmp_path / "model.ckpt").compiled


def test_a_trainer_resumes_it_exactly(tmp_path):
    make = partial(torch.optim.AdamW, lr=0.01)
    whole, half, resumed = compiled(make), compiled(make), compiled(make)
    L.Trainer(max_epochs=4, **QUIET).fit(whole, loader())
    trainer = L.Trainer(max_epochs=2, **QUIET)
    trainer.fit(half, loader())
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    L.Trainer(max_epochs=4, **QUIET).fit(resumed, loader(), ckpt_path=tmp_path / "half.ckpt")
    assert_same(whole.get_weights(), resumed.get_weights(), atol=0)
    assert int(resumed.optimizer.iterations) == 24


def test_copies_go_on_as_the_original_does():
    model = compiled(lambda params: torch.optim.AdamW(params, lr=0.01))
    model.fit(loader(), verbose=0)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for one in (model, *copies):
        one.fit(loader(), verbose=0)
        assert int(one.optimizer.iterations) == 12
        assert_same(one.get_weights(), model.get_weights(), atol=0)


def test_a_closure_is_run_and_constraints_hold():
    model = compiled(partial(torch.optim.LBFGS, lr=0.1))
    losses = model.fit(loader(), epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    model = compiled(partial(torch.optim.SGD, lr=1.0), kernel_constraint=keras.constraints.MaxNorm(0.1))
    model.fit(loader(), verbose=0)
    assert np.linalg.norm(model.get_weights()[2], axis=0) == pytest.approx([0.1] * 3, rel=1e-5)


def test_it_drives_train_on_batch_and_a_train_step():
    class Custom(keras.Sequential):
        def train_step(self, data):
            x, y = data
            loss = self.compute_loss(x, y, self(x, training=True))
            weights = self.trainable_weights
            self.optimizer.apply(torch.autograd.grad(loss, weights), weights)
            return {"loss": loss}

    torch.manual_seed(0)
    own = Custom(network().layers)
    own.build((None, 6, 6, 3))
    own.compile(torch.optim.AdamW, "sparse_categorical_crossentropy")
    own.fit(loader(), epochs=3, verbose=0)
    stepped = compiled(torch.optim.AdamW)
    for x, y in [batch for _ in range(3) for batch in loader()]:
        stepped.train_on_batch(x, y)
    expected = by_hand(torch.optim.AdamW)
    assert_same(own.get_weights(), expected)
    assert_same(stepped.get_weights(), expected)


def test_the_weights_own_precision_leaves_its_count_alone():
    model = compiled(torch.optim.AdamW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(loader(), epochs=2, verbose=0, precision="bf16-true", accelerator="cpu")
        model.fit(loader(), epochs=1, verbose=0, accelerator="cpu")
    slots = [slot for kept in model.optimizer.state.values() for slot in kept.values()]
    assert {slot.dtype for slot in slots} == {torch.float32}
    assert {float(kept["step"]) for kept in model.optimizer.state.values()} == {18.0}
