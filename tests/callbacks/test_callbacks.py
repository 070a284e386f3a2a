"""What our callbacks add to Keras': lazy logs, old names, old arguments, backups, event files."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from scene_lightning import callbacks, losses, metrics
from scene_lightning.callbacks.logs import LazyLogs, pythonify
from scene_lightning.callbacks.monitor import direction_of
from scene_lightning.errors import InputError, UnsupportedError


class Model:
    """The part of a model that callbacks use."""

    def __init__(self) -> None:
        self.optimizer = SimpleNamespace(learning_rate=0.1, iterations=0)
        self.stop_training = False
        self.saved: list[str] = []
        self.layers: list[Any] = []
        self.metrics: list[Any] = []
        self._initial_epoch = 0
        self.state = 0

    def save(self, path: str, overwrite: bool = True) -> None:
        self.saved.append(Path(path).name)

    def _backup(self, path: str) -> None:
        Path(path).write_text(str(self.state))

    def _restore_backup(self, path: str) -> None:
        text = Path(path).read_text()
        if text == "broken":
            raise OSError("broken")
        self.state = int(text)


def fit(
    model: Model, made: list[Any], script: list[dict[str, float]], start: int = 0, steps: int = 3, **params: Any
) -> Any:
    params = {"verbose": 0, "epochs": len(script), "steps": steps, **params}
    listed = callbacks.CallbackList(made, add_history=True, model=model, **params)
    listed.on_train_begin()
    for epoch in range(max(start, model._initial_epoch), len(script)):
        listed.on_epoch_begin(epoch)
        for batch in range(steps):
            listed.on_train_batch_begin(batch)
            listed.on_train_batch_end(batch, script[epoch])
        listed.on_epoch_end(epoch, script[epoch])
        if model.stop_training:
            break
    listed.on_train_end()
    return listed.history


# Where each exported callback is tested; a new one must be added here, with its tests.
COVERED = {
    "against Keras": [
        "Callback", "CallbackList", "CSVLogger", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
        "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TerminateOnNaN", "MonitorCallback",
    ],
    "below": ["BackupAndRestore", "BaseLogger", "TensorBoard", "SwapEMAWeights"],
}  # fmt: skip


def test_every_exported_callback_has_its_tests() -> None:
    assert sorted(itertools.chain(*COVERED.values())) == sorted(callbacks.__all__)


def test_every_keras_callback_is_there() -> None:
    import keras

    assert not [name for name in dir(keras.callbacks) if name[0].isupper() and not hasattr(callbacks, name)]


class TestLogs:
    def test_lazy_logs_are_computed_once_and_only_when_read(self) -> None:
        calls: list[int] = []

        def compute() -> dict[str, Any]:
            calls.append(1)
            return {"loss": torch.tensor(2.0), "accuracy": 0.5}

        logs = LazyLogs(compute)
        assert (logs or {}) is logs
        assert calls == []
        assert dict(logs) == {"accuracy": 0.5, "loss": 2.0}
        assert {**logs} == logs.copy() == {"accuracy": 0.5, "loss": 2.0}
        assert json.dumps(logs) == '{"accuracy": 0.5, "loss": 2.0}'
        assert (
            isinstance(logs["loss"], float) and "loss" in logs and len(logs) == 2 and list(logs) == ["accuracy", "loss"]
        )
        assert logs.get("none", 3) == 3 and repr(logs).startswith("{") and logs.pop("loss") == 2.0
        assert calls == [1]

    def test_what_is_written_before_reading_stays(self) -> None:
        logs = LazyLogs(lambda: {"loss": 1.0})
        logs["extra"] = 7
        assert dict(logs) == {"extra": 7, "loss": 1.0}

    def test_pythonify_sorts_merges_and_leaves_lists(self) -> None:
        logs = pythonify({"b": torch.tensor(1), "a": {"c": 2}, "confusion": [[1, 0], [0, 1]]})
        assert list(logs.items()) == [("c", 2.0), ("b", 1.0), ("confusion", [[1, 0], [0, 1]])]


class TestList:
    def test_nested_lists_and_single_callbacks_are_taken(self) -> None:
        one = callbacks.Callback()
        assert callbacks.CallbackList([[one], (one,)]).callbacks == [one, one]
        assert callbacks.CallbackList(one).callbacks == [one]

    @pytest.mark.parametrize("wrong", [callbacks.EarlyStopping, "early", [3]])
    def test_what_is_no_callback_is_refused(self, wrong: Any) -> None:
        with pytest.raises(InputError, match="must be"):
            callbacks.CallbackList(wrong)

    def test_a_key_added_by_one_callback_reaches_the_next_and_history(self) -> None:
        add = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=epoch))
        assert fit(Model(), [add], [{"loss": 1.0}] * 2).history["extra"] == [0, 1]


class TestHistory:
    def test_old_names_can_be_read_and_are_not_listed(self) -> None:
        history = fit(Model(), [], [{"loss": 1.0, "accuracy": 0.5, "val_accuracy": 0.25}] * 2).history
        assert history["acc"] == [0.5, 0.5] and history["val_acc"] == history.get("val_acc") == [0.25, 0.25]
        assert "acc" in history and "lr" not in history and history.get("lr") is None
        assert list(history) == ["accuracy", "loss", "val_accuracy"]
        assert list(pd.DataFrame(history).columns) == ["accuracy", "loss", "val_accuracy"]
        with pytest.raises(KeyError):
            history["nothing"]

    def test_new_names_find_old_ones(self) -> None:
        assert fit(Model(), [], [{"acc": 0.5}]).history["accuracy"] == [0.5]

    def test_epochs_and_params(self) -> None:
        history = fit(Model(), [], [{"loss": 1.0}] * 3, start=1)
        assert history.epoch == [1, 2] and history.params == {"verbose": 0, "epochs": 3, "steps": 3}


class TestOldWays:
    @pytest.mark.parametrize("monitor", ["val_acc", "val_accuracy", ["val_acc"]])
    @pytest.mark.parametrize("key", ["val_acc", "val_accuracy"])
    def test_monitors_find_either_spelling(self, monitor: Any, key: str) -> None:
        model = Model()
        best = callbacks.ModelCheckpoint("{epoch}-{val_acc:.1f}.h5", monitor=monitor, save_best_only=True)
        fit(model, [best], [{key: v} for v in (0.1, 0.3, 0.2)])
        assert model.saved == ["1-0.1.h5", "2-0.3.h5"]

    def test_period_and_unknown_arguments(self) -> None:
        with pytest.raises(TypeError, match=r"moniter.*Did you mean 'monitor'"):
            callbacks.ModelCheckpoint("bare_name", moniter="val_loss")
        checkpoint: Any = callbacks.ModelCheckpoint("bare_name", period=2)
        model = Model()
        fit(model, [checkpoint], [{"loss": 1.0}] * 5)
        assert model.saved == ["bare_name"] * 2

    def test_the_monitor_does_not_matter_when_every_epoch_is_saved(self) -> None:
        model = Model()
        fit(model, [callbacks.ModelCheckpoint("m.keras", monitor="something_unknown")], [{"loss": 1.0}])
        assert model.saved == ["m.keras"]

    def test_an_unknown_direction_is_an_error_and_names_the_cure(self) -> None:
        with pytest.raises(ValueError, match="Pass `mode='max'`"):
            fit(Model(), [callbacks.EarlyStopping("val_wonder")], [{"val_wonder": 1.0}])

    def test_an_unknown_mode_falls_back(self) -> None:
        with pytest.warns(UserWarning, match="mode 'best' is unknown, fallback to auto mode"):
            assert callbacks.EarlyStopping(mode="best").mode == "auto"

    def test_the_metric_object_outranks_the_name(self) -> None:
        model = Model()
        model.metrics = [
            SimpleNamespace(name="score_loss", _direction="up"),
            SimpleNamespace(name="x", higher_is_better=False),
        ]
        stop = callbacks.EarlyStopping("val_score_loss")
        stop.set_model(model)
        stop._set_monitor_op()
        assert stop._is_improvement(2.0, 1.0)

    def test_a_metric_of_a_loss_goes_down_and_a_similarity_up(self) -> None:
        model = SimpleNamespace(
            metrics=[
                metrics.CosineSimilarity(name="alike"),
                metrics.MeanSquaredError(name="apart"),
                metrics.MeanMetricWrapper(losses.hinge, name="wrapped"),
            ]
        )
        assert [direction_of(model, name) for name in ("val_alike", "val_apart", "wrapped")] == ["max", "min", "min"]

    def test_impossible_arguments(self, tmp_path: Path) -> None:
        for make in (
            lambda: callbacks.ModelCheckpoint("m.keras", save_freq="sometimes"),
            lambda: callbacks.ReduceLROnPlateau(factor=1.5),
            lambda: callbacks.BackupAndRestore(""),
            lambda: callbacks.BackupAndRestore(tmp_path, save_freq=0.5),
            lambda: callbacks.TensorBoard(update_freq="hour"),
            lambda: callbacks.TensorBoard(profile_batch=(5, 2)),
            lambda: callbacks.ProgbarLogger("pages"),
            lambda: callbacks.EarlyStopping(monitor=["a", "b"]),
        ):
            with pytest.raises(InputError):
                make()

    @pytest.mark.parametrize("name", ["RemoteMonitor", "OrbaxCheckpoint"])
    def test_what_is_not_here_names_its_alternative(self, name: str) -> None:
        with pytest.raises(UnsupportedError, match=r"(?i)use "):
            getattr(callbacks, name)("x")

    def test_base_logger_does_nothing(self) -> None:
        assert fit(Model(), [callbacks.BaseLogger(["acc"])], [{"loss": 1.0}]).history == {"loss": [1.0]}


class TestBackup:
    def test_training_goes_on_after_the_last_finished_epoch(self, tmp_path: Path) -> None:
        script = [{"loss": 1.0}] * 5

        def crash_at(epoch: int) -> Any:
            def on_epoch_begin(current: int, logs: Any) -> None:
                if current == epoch:
                    raise KeyboardInterrupt

            return callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin)

        folder = tmp_path / "backup"
        first = Model()
        count = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(first, "state", first.state + 1))
        with pytest.raises(KeyboardInterrupt):
            fit(first, [count, callbacks.BackupAndRestore(folder), crash_at(3)], script)
        second = Model()
        history = fit(second, [callbacks.BackupAndRestore(folder)], script)
        assert (second.state, history.epoch) == (3, [3, 4])
        assert not folder.exists()

    def test_a_broken_backup_falls_back_to_the_one_before(self, tmp_path: Path) -> None:
        model = Model()
        backup = callbacks.BackupAndRestore(tmp_path / "b", double_checkpoint=True, delete_checkpoint=False)
        fit(model, [backup], [{"loss": 1.0}] * 3)
        (tmp_path / "b" / "latest.ckpt").write_text("broken")
        again = Model()
        assert fit(again, [backup], [{"loss": 1.0}] * 4).epoch == [2, 3]

    def test_batches_are_counted_over_epochs(self, tmp_path: Path) -> None:
        states: list[Any] = []
        model = Model()
        model._backup = lambda path: states.append(1)  # type: ignore[method-assign]
        fit(model, [callbacks.BackupAndRestore(tmp_path / "b", save_freq=4)], [{"loss": 1.0}] * 4, steps=3)
        assert len(states) == 3


class TestTensorBoard:
    def events(self, folder: Path) -> EventAccumulator:
        return EventAccumulator(str(folder), size_guidance={"histograms": 0, "images": 0}).Reload()

    def test_scalars_are_tagged_as_keras_tags_them(self, tmp_path: Path) -> None:
        model = Model()
        script = [{"loss": 1.0, "val_loss": 2.0}, {"loss": 0.5, "val_loss": 1.5}]
        fit(model, [callbacks.TensorBoard(tmp_path, write_steps_per_second=True)], script)
        train, validation = self.events(tmp_path / "train"), self.events(tmp_path / "validation")
        tags = ["epoch_learning_rate", "epoch_loss", "epoch_steps_per_second"]
        assert sorted(train.Tags()["scalars"]) == tags and validation.Tags()["scalars"] == ["epoch_loss"]
        assert [(e.step, e.value) for e in validation.Scalars("epoch_loss")] == [(0, 2.0), (1, 1.5)]

    def test_batches_are_written_at_their_frequency(self, tmp_path: Path) -> None:
        fit(Model(), [callbacks.TensorBoard(tmp_path, update_freq=2)], [{"loss": 1.0}] * 2, steps=3)
        assert [e.step for e in self.events(tmp_path / "train").Scalars("batch_loss")] == [2, 4, 6]

    def test_evaluation_is_written_against_iterations(self, tmp_path: Path) -> None:
        board, model = callbacks.TensorBoard(tmp_path), Model()
        model.optimizer.iterations = 7
        board.set_model(model)
        board.on_test_begin()
        board.on_test_end({"loss": 0.25})
        board.on_train_end()
        (event,) = self.events(tmp_path / "validation").Scalars("evaluation_loss_vs_iterations")
        assert (event.step, event.value) == (7, 0.25)

    def test_weights_become_histograms_and_pictures(self, tmp_path: Path) -> None:
        layer: Any = torch.nn.Module()
        layer.kernel, layer.bias = torch.nn.Parameter(torch.rand(3, 3, 3, 4)), torch.nn.Parameter(torch.rand(4))
        layer.name, layer.weights = "conv2d", [layer.kernel, layer.bias]
        model = Model()
        model.layers = [layer]
        fit(model, [callbacks.TensorBoard(tmp_path, histogram_freq=2, write_images=True)], [{"loss": 1.0}] * 3)
        train = self.events(tmp_path / "train")
        assert train.Tags()["histograms"] == ["conv2d/kernel/histogram", "conv2d/bias/histogram"]
        assert [event.step for event in train.Histograms("conv2d/kernel/histogram")] == [0, 2]
        assert "conv2d/bias/image" in train.Tags()["images"]


class TestAveragedWeights:
    def make(self) -> tuple[Model, torch.nn.Parameter, torch.Tensor]:
        model = Model()
        weight, average = torch.nn.Parameter(torch.tensor([1.0])), torch.tensor([5.0])
        model.optimizer.use_ema, model.optimizer.state = True, {weight: {"average": average}}
        return model, weight, average

    @pytest.mark.parametrize("verb", ["test", "predict"])
    def test_they_are_in_the_model_while_it_is_asked(self, verb: str) -> None:
        model, weight, average = self.make()
        swap = callbacks.SwapEMAWeights()
        swap.set_model(model)
        getattr(swap, f"on_{verb}_begin")()
        assert (weight.item(), average.item()) == (5.0, 1.0)
        getattr(swap, f"on_{verb}_end")()
        assert (weight.item(), average.item()) == (1.0, 5.0)

    def test_and_at_the_end_of_epochs_when_asked_for(self) -> None:
        model, weight, average = self.make()
        seen: list[float] = []
        note = callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: seen.append(weight.item()),
            on_epoch_end=lambda epoch, logs: seen.append(weight.item()),
        )
        fit(model, [callbacks.SwapEMAWeights(swap_on_epoch=True), note], [{"loss": 1.0}] * 2)
        assert seen == [1.0, 5.0, 1.0, 5.0] and average.item() == 5.0

    def test_an_optimizer_without_averages_is_refused(self) -> None:
        swap = callbacks.SwapEMAWeights()
        swap.set_model(Model())
        with pytest.raises(ValueError, match="use_ema=True"):
            swap.on_test_begin()


def test_logs_are_found_under_the_spelling_of_old_keras() -> None:
    for logs in (pythonify({"accuracy": 0.5, "val_accuracy": 0.25}), LazyLogs(lambda: {"accuracy": 0.5, "val_acc": 1})):
        assert logs.get("acc") == logs["acc"] == logs.get("accuracy") == 0.5 and next(iter(logs)) == "accuracy"
        assert logs.get("lr") is None and logs.get("lr", 3) == 3 and "acc" not in logs
        with pytest.raises(KeyError):
            logs["lr"]
    assert logs["val_accuracy"] == 1
