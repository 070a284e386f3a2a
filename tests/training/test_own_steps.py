"""Keras models that are LightningModules of their own: steps, hooks and optimizers, with and without `compile`."""

from __future__ import annotations

import lightning as L
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.random((24, 8, 8, 3), dtype=np.float32)
Y = RNG.integers(0, 3, 24)
QUIET = {
    "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1, "logger": False,
    "enable_checkpointing": False,
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore")


def loader():
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=4)


class Phases(layers.Layer):
    """Notes in which phase it is called."""

    def call(self, inputs, training=None):
        self.__dict__.setdefault("seen", set()).add(training)
        return inputs


class Own(keras.Model):
    """As a Lightning user writes it: no `super()` in a hook, no `compile`."""

    def __init__(self, width=8):
        super().__init__()
        self.flatten, self.phases = layers.Flatten(), Phases()
        self.hidden, self.head = layers.Dense(width, activation="relu"), layers.Dense(3)
        self.drop = layers.Dropout(0.0)

    def call(self, x):
        return self.head(self.drop(self.phases(self.hidden(self.flatten(x)))))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


def made(cls=Own, **kwargs):
    torch.manual_seed(3)
    model = cls(**kwargs)
    model.build((None, 8, 8, 3))
    return model


def by_hand(model, epochs):
    """The same training in plain torch: (weights, mean loss of each epoch's batches)."""
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.1), []
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for _ in range(epochs):
        seen = []
        for x, y in loader():
            loss = F.cross_entropy(model(x, training=True), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append(float(loss))
        scheduler.step()
        losses.append(float(np.mean(seen)))
    return model.get_weights(), losses


def assert_same(first, second, atol=1e-6):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def test_steps_and_optimizer_of_ones_own_need_no_compile():
    model = made()
    trainer = L.Trainer(max_epochs=2, num_sanity_val_steps=0, **QUIET)
    trainer.fit(model, loader(), loader())
    weights, losses = by_hand(made(), 2)
    assert_same(model.get_weights(), weights)
    assert set(trainer.callback_metrics) == {"train_loss", "val_loss"}  # no loss of ours, which saw nothing
    assert float(trainer.callback_metrics["train_loss"]) == pytest.approx(losses[-1], rel=1e-5)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.025)
    assert model.phases.seen == {True, False}  # training in training_step, not in validation


def test_a_compiled_model_with_its_own_step_logs_no_false_loss():
    model = made()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    trainer = L.Trainer(max_epochs=1, **QUIET)
    trainer.fit(model, loader(), loader())
    assert set(trainer.callback_metrics) == {"train_loss", "val_loss"}
    assert float(trainer.callback_metrics["val_loss"]) > 0.1


def test_fit_and_evaluate_run_them_and_report_what_they_log():
    model = made()
    history = model.fit(loader(), epochs=2, validation_data=loader(), verbose=0)
    weights, losses = by_hand(made(), 2)
    assert_same(model.get_weights(), weights)
    assert set(history.history) == {"train_loss", "val_loss"}
    np.testing.assert_allclose(history.history["train_loss"], losses, rtol=1e-5)
    found = model.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True)
    assert found == {"val_loss": pytest.approx(history.history["val_loss"][-1], rel=1e-5)}


@pytest.mark.parametrize("compiled", [False, True])
def test_fit_in_other_processes_with_an_optimizer_of_ones_own(compiled):
    """The optimizer is made in the processes, so the one that asked has no place for its state."""
    model = made()
    if compiled:
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()[0]
    history = model.fit(loader(), epochs=1, verbose=0, accelerator="cpu", devices=2, strategy="ddp_fork").history
    assert np.isfinite(history["train_loss"][0]) and not np.array_equal(before, model.get_weights()[0])


def test_keras_callbacks_follow_the_own_optimizer_and_logs():
    class Plain(Own):
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    model = made(Plain)
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=0, min_delta=10)
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = model.fit(loader(), epochs=5, validation_data=loader(), verbose=0, callbacks=[stop, halve])
    assert len(history.epoch) == 2
    assert history.history["learning_rate"] == pytest.approx([0.05, 0.025])


def test_a_validation_without_a_step_or_a_loss_is_skipped_with_a_word():
    class TrainsOnly(Own):
        validation_step = keras.Model.validation_step

    model, trainer = made(TrainsOnly), L.Trainer(max_epochs=1, num_sanity_val_steps=0, **QUIET)
    with pytest.warns(UserWarning, match="Validation was skipped"):
        trainer.fit(model, loader(), loader())
    assert set(trainer.callback_metrics) == {"train_loss"}
    with pytest.raises(InputError, match="define validation_step"):
        trainer.validate(model, loader())


def test_its_own_step_with_the_compiled_optimizer_and_loss():
    class Half(keras.Sequential):
        def training_step(self, batch, batch_idx):
            return 2 * super().training_step(batch, batch_idx)

    torch.manual_seed(1)
    model = Half([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    torch.manual_seed(1)
    plain = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    plain.compile(keras.optimizers.SGD(0.2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    one = model.fit(X, Y, epochs=2, shuffle=False, validation_data=(X, Y), verbose=0).history
    two = plain.fit(X, Y, epochs=2, shuffle=False, validation_data=(X, Y), verbose=0).history
    assert list(one) == list(two)
    for name in two:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-5)


def test_without_an_optimizer_the_error_names_both_ways():
    class NoOptimizer(Own):
        configure_optimizers = keras.Model.configure_optimizers

    with pytest.raises(InputError, match=r"configure_optimizers\(self\), or call compile"):
        L.Trainer(max_epochs=1, **QUIET).fit(made(NoOptimizer), loader())
    with pytest.raises(InputError, match="compile"):
        L.Trainer(max_epochs=1, **QUIET).fit(keras.Sequential([layers.Dense(2)]), loader())


def test_manual_optimization():
    class Manual(Own):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, batch_idx):
            x, y = batch
            optimizer = self.optimizers()
            loss = F.cross_entropy(self(x), y)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            if self.trainer.is_last_batch:
                self.lr_schedulers().step()
            self.log("train_loss", loss, on_epoch=True, on_step=False)

    model = made(Manual)
    L.Trainer(max_epochs=2, **QUIET).fit(model, loader())
    assert_same(model.get_weights(), by_hand(made(), 2)[0])
    assert_same([*_fitted(made(Manual)).get_weights()], by_hand(made(), 1)[0])
    with pytest.raises(InputError, match="training_step"):
        keras.Sequential([layers.Dense(2)]).automatic_optimization = False


def _fitted(model):
    model.fit(loader(), epochs=1, verbose=0)
    return model


def test_a_torch_forward_and_torch_layers():
    class Torch(keras.Model):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))
            self.loss_function = torch.nn.CrossEntropyLoss()

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, batch_idx):
            loss = self.loss_function(self(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.01)

    model = Torch()
    history = model.fit(loader(), epochs=4, verbose=0).history
    assert history["train_loss"][-1] < history["train_loss"][0]
    np.testing.assert_allclose(model.predict(X, verbose=0), model.net(torch.from_numpy(X)).detach().numpy(), atol=1e-6)


def test_hooks_without_super_keep_metrics_checkpoints_and_phases(tmp_path):
    class Hooked(keras.Sequential):
        def on_train_epoch_start(self):
            self.__dict__.setdefault("events", []).append("start")

        def on_train_epoch_end(self):
            self.events.append("end")

        def on_validation_epoch_start(self):
            super().on_validation_epoch_start()

        def on_validation_epoch_end(self):
            self.events.append("validated")

        def setup(self, stage):
            self.stage = stage

        def on_save_checkpoint(self, checkpoint):
            checkpoint["mine"] = 1

    def network(cls):
        torch.manual_seed(2)
        model = cls([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    model, plain = network(Hooked), network(keras.Sequential)
    for one in (model, plain):
        trainer = L.Trainer(max_epochs=2, num_sanity_val_steps=0, **QUIET)
        trainer.fit(one, loader(), loader())
        one.__dict__["found"] = {name: float(value) for name, value in trainer.callback_metrics.items()}
        trainer.save_checkpoint(tmp_path / f"{type(one).__name__}.ckpt")
    assert model.found == plain.found
    assert set(model.found) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert model.events == ["start", "validated", "end"] * 2
    assert model.stage == "fit"
    saved = torch.load(tmp_path / "Hooked.ckpt", weights_only=True)
    assert saved["mine"] == 1
    loaded = keras.models.load_model(tmp_path / "Hooked.ckpt", custom_objects={"Hooked": Hooked})
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


def test_transfer_hooks_and_predict_step_of_ones_own_run_in_the_verbs():
    class Doubling(Own):
        def on_after_batch_transfer(self, batch, dataloader_idx):
            x, *rest = batch if isinstance(batch, tuple | list) else (batch,)
            return (x * 2, *rest) if rest else x * 2

        def predict_step(self, batch, batch_idx):
            return self(batch).argmax(-1)

    model = made(Doubling)
    found = model.predict(X, verbose=0)
    assert_same([found], [model(X * 2).argmax(-1).numpy()])
    model.fit(loader(), epochs=1, verbose=0)
