"""Every callback, driven by the same scripted logs as Keras' own: same decisions, same words, same files."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scene_lightning import callbacks as ours

ANSI = re.compile(r"\x1b\[\d+m")


class Optimizer:
    def __init__(self) -> None:
        self.learning_rate: Any = 0.1
        self.iterations = 0


class ScriptedModel:
    """Stands for a model in both frameworks: remembers what callbacks do to it."""

    def __init__(self) -> None:
        self.optimizer = Optimizer()
        self.metrics: list[Any] = []
        self.layers: list[Any] = []
        self.stop_training = False
        self.saved: list[tuple[str, str]] = []
        self.weight = 0.0
        self.history: Any = None
        self.built = True

    def get_weights(self) -> list[np.ndarray]:
        return [np.array(self.weight)]

    def set_weights(self, weights: Any) -> None:
        self.weight = float(weights[0])

    def save(self, path: str, overwrite: bool = True) -> None:
        self.saved.append(("model", Path(path).name))

    def save_weights(self, path: str, overwrite: bool = True) -> None:
        self.saved.append(("weights", Path(path).name))


def drive(module: Any, callbacks: list[Any], script: list[dict[str, float]], steps: int = 4) -> dict[str, Any]:
    """Run the events of a fit with `script` as epoch logs; everything that can be observed comes back."""
    model = ScriptedModel()
    listed = module.CallbackList(callbacks, add_history=True, model=model, verbose=0, epochs=len(script), steps=steps)
    seen: dict[str, Any] = {"rates": [], "epochs": 0}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        listed.on_train_begin()
        for epoch, logs in enumerate(script):
            listed.on_epoch_begin(epoch)
            for batch in range(steps):
                listed.on_train_batch_begin(batch)
                model.optimizer.iterations += 1
                batch_logs = {name: value for name, value in logs.items() if not name.startswith("val_")}
                listed.on_train_batch_end(batch, batch_logs)
            model.weight = epoch + 1.0
            listed.on_epoch_end(epoch, logs)
            seen["rates"].append(float(model.optimizer.learning_rate))
            seen["epochs"] += 1
            if model.stop_training:
                break
        listed.on_train_end(logs)
    seen |= {
        "history": dict(model.history.history),
        "order": list(model.history.history),
        "saved": model.saved,
        "weight": model.weight,
        "printed": printed.getvalue(),
        "warnings": [str(w.message) for w in caught if w.category is UserWarning],
    }
    return seen


def losses(*values: float) -> list[dict[str, float]]:
    return [{"loss": v / 2, "val_loss": v, "accuracy": 1 - v / 10, "val_accuracy": 1 - v / 8} for v in values]


DESCENT = losses(3.0, 2.5, 2.6, 2.4999, 2.7, 2.8, 2.9, 2.0)
FLAT = losses(*[1.0] * 9)
NAN = losses(2.0, float("nan"), float("nan"), 1.0, 3.0, 3.0)

CASES: dict[str, tuple[str, dict[str, Any], list[dict[str, float]]]] = {
    "stop": ("EarlyStopping", {"verbose": 1}, DESCENT),
    "stop, monitor loss": ("EarlyStopping", {"monitor": "loss", "patience": 2, "verbose": 1}, DESCENT),
    "stop, mode max": ("EarlyStopping", {"monitor": "val_accuracy", "mode": "max", "patience": 1}, DESCENT),
    "stop, delta": (
        "EarlyStopping",
        {"min_delta": 0.5, "patience": 2, "verbose": 1},
        losses(3, 2.5, 1.9, 1.8, 1.7, 1.6),
    ),
    "stop, restore": ("EarlyStopping", {"patience": 3, "restore_best_weights": True, "verbose": 1}, DESCENT),
    "stop, restore without stop": ("EarlyStopping", {"patience": 30, "restore_best_weights": True}, DESCENT),
    "stop, baseline": ("EarlyStopping", {"baseline": 1.0, "patience": 3, "restore_best_weights": True}, DESCENT),
    "stop, warm-up": ("EarlyStopping", {"start_from_epoch": 4, "patience": 1, "restore_best_weights": True}, DESCENT),
    "stop, nan": ("EarlyStopping", {"patience": 2, "restore_best_weights": True, "verbose": 1}, NAN),
    "stop, missing": ("EarlyStopping", {"monitor": "val_nothing", "mode": "min"}, losses(1.0, 1.0)),
    "plateau": ("ReduceLROnPlateau", {"patience": 2, "verbose": 1}, FLAT),
    "plateau, cooldown": ("ReduceLROnPlateau", {"patience": 1, "cooldown": 2, "factor": 0.5, "verbose": 1}, FLAT),
    "plateau, floor": ("ReduceLROnPlateau", {"patience": 0, "min_lr": 0.02, "factor": 0.3, "verbose": 1}, FLAT),
    "plateau, delta": ("ReduceLROnPlateau", {"patience": 1, "min_delta": 0.3}, losses(3, 2.8, 2.6, 2.2, 2.1, 2.05)),
    "plateau, missing": ("ReduceLROnPlateau", {"monitor": "val_nothing", "mode": "min"}, losses(1.0)),
    "checkpoint": ("ModelCheckpoint", {"filepath": "m.keras", "verbose": 1}, DESCENT),
    "checkpoint, named": (
        "ModelCheckpoint",
        {"filepath": "{epoch:02d}-{val_loss:.2f}.keras", "save_best_only": True, "verbose": 1},
        DESCENT,
    ),
    "checkpoint, weights": (
        "ModelCheckpoint",
        {"filepath": "{epoch}.weights.h5", "save_weights_only": True, "monitor": "loss", "verbose": 1},
        DESCENT,
    ),
    "checkpoint, threshold": (
        "ModelCheckpoint",
        {"filepath": "m.h5", "save_best_only": True, "initial_value_threshold": 2.55, "verbose": 1},
        DESCENT,
    ),
    "checkpoint, batches": (
        "ModelCheckpoint",
        {"filepath": "{epoch}-{batch}-{loss:.1f}.keras", "save_freq": 3},
        DESCENT,
    ),
    "checkpoint, missing": (
        "ModelCheckpoint",
        {"filepath": "m.keras", "save_best_only": True, "monitor": "val_nothing", "mode": "max"},
        losses(1.0, 2.0),
    ),
    "nan": ("TerminateOnNaN", {}, [{"loss": 1.0}, {"loss": float("inf")}, {"loss": 1.0}]),
    "nothing": ("Callback", {}, DESCENT),
}


@pytest.mark.parametrize("case", CASES)
def test_same_decisions_words_and_files(case: str) -> None:
    name, arguments, script = CASES[case]
    expected = drive(keras.callbacks, [getattr(keras.callbacks, name)(**arguments)], script)
    found = drive(ours, [getattr(ours, name)(**arguments)], script)
    assert repr(found) == repr(expected)


VALUES = st.floats(0.1, 4).map(lambda value: round(value, 1)) | st.sampled_from([1.0, float("nan")])
MODES = st.sampled_from([("val_loss", "auto"), ("loss", "min"), ("val_accuracy", "max"), ("accuracy", "max")])
STOP = st.fixed_dictionaries(
    {"patience": st.integers(0, 4), "min_delta": st.sampled_from([0, 0.1, 0.5]), "restore_best_weights": st.booleans()},
    optional={"baseline": st.floats(0.5, 3), "start_from_epoch": st.integers(0, 4), "verbose": st.integers(0, 1)},
)
PLATEAU = st.fixed_dictionaries(
    {
        "patience": st.integers(0, 3),
        "cooldown": st.integers(0, 2),
        "factor": st.floats(0.1, 0.9),
        "verbose": st.just(1),
    },
    optional={"min_lr": st.sampled_from([0.0, 0.02]), "min_delta": st.sampled_from([0.0, 0.3])},
)
KEEP = st.fixed_dictionaries(
    {"filepath": st.sampled_from(["{epoch}-{loss:.3f}.keras", "m.keras"]), "save_best_only": st.booleans()},
    optional={
        "verbose": st.just(1),
        "save_freq": st.sampled_from(["epoch", 1, 3, 5]),
        "initial_value_threshold": st.floats(0.5, 2),
    },
).filter(lambda keep: not (keep["save_best_only"] and keep.get("save_freq", "epoch") != "epoch"))  # Keras 3.15 fails


@pytest.mark.parametrize("values", [(0.9, 0.6), (0.9, 0.7), (1.0, 0.7), (0.5, 0.2)])
def test_improvements_are_compared_in_float32(values: tuple[float, ...]) -> None:
    def run(module: Any) -> Any:
        return drive(
            module, [module.EarlyStopping(monitor="loss", patience=0, min_delta=0.3)], losses(*values, *values)
        )

    assert repr(run(ours)) == repr(run(keras.callbacks))


@given(values=st.lists(VALUES, min_size=1, max_size=12), which=MODES, stop=STOP, plateau=PLATEAU, keep=KEEP)
def test_any_settings_give_the_same_decisions(
    values: list[float], which: tuple[str, str], stop: Any, plateau: Any, keep: Any
) -> None:
    watched = {"monitor": which[0], "mode": which[1]}

    def run(module: Any) -> dict[str, Any]:
        made = [
            module.ReduceLROnPlateau(**plateau, **watched),
            module.ModelCheckpoint(**keep, **watched),
            module.EarlyStopping(**stop, **watched),
        ]
        return drive(module, made, losses(*values))

    assert repr(run(ours)) == repr(run(keras.callbacks))


@pytest.mark.parametrize("schedule", [lambda e, lr: lr * 0.5, lambda e: 1.0 / (e + 1)], ids=["two", "one"])
def test_schedule(schedule: Any) -> None:
    expected = drive(keras.callbacks, [keras.callbacks.LearningRateScheduler(schedule, verbose=1)], DESCENT)
    assert repr(drive(ours, [ours.LearningRateScheduler(schedule, verbose=1)], DESCENT)) == repr(expected)


@pytest.mark.parametrize("module", [keras.callbacks, ours], ids=["keras", "ours"])
def test_a_schedule_must_give_a_float(module: Any) -> None:
    with pytest.raises(ValueError, match="should be a float"):
        drive(module, [module.LearningRateScheduler(lambda e, lr: 1)], DESCENT)


@pytest.mark.parametrize("options", [{}, {"separator": ";"}, {"append": True}])
@pytest.mark.parametrize(
    "script",
    [DESCENT[:3], [{"loss": 1.0}, {"loss": 0.5, "val_loss": 2.0}], [{"loss": 1.0, "val_loss": 3.0}, {"loss": 0.5}]],
    ids=["plain", "late validation", "gap"],
)
def test_csv_files_are_byte_equal(tmp_path: Path, options: dict[str, Any], script: list[dict[str, float]]) -> None:
    files = []
    for module in (keras.callbacks, ours):
        path = tmp_path / f"{module.__name__}.csv"
        for _ in range(2):  # a second fit appends, or starts anew
            drive(module, [module.CSVLogger(str(path), **options)], script)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert files[1].count(b"\r\n") == len(script) * (2 if options.get("append") else 1) + 1


def test_lambda_callback_is_called_alike() -> None:
    def record(module: Any) -> list[Any]:
        calls: list[Any] = []
        hooks = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin")
        made = module.LambdaCallback(
            on_train_batch_end=lambda batch, logs: calls.append(("end", batch, dict(logs))),
            **{
                hook: lambda *args, hook=hook: calls.append((hook, *args))
                for hook in hooks
                if hook != "on_train_batch_begin"
            },
            on_train_batch_begin=lambda batch, logs: calls.append(("begin", batch, dict(logs))),
        )
        drive(module, [made], DESCENT[:2], steps=2)
        return calls

    assert record(ours) == record(keras.callbacks)


def test_direction_is_that_of_keras_metrics_by_name_alone() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae", "cosine_similarity", "accuracy", "auc", "precision", "hinge"])
    model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
    for metric in model.metrics[1].metrics:
        theirs = keras.callbacks.EarlyStopping(f"val_{metric.name}")
        theirs.set_model(model)
        theirs._set_monitor_op()
        mine = ours.EarlyStopping(f"val_{metric.name}")
        mine.set_model(ScriptedModel())
        mine._set_monitor_op()
        assert mine._is_improvement(2.0, 1.0) == bool(theirs._is_improvement(2.0, 1.0)), metric.name


def painted(text: str) -> list[str]:
    """What a terminal would show of `text`, line by line, without colours."""
    lines = ANSI.sub("", text).replace("\b", "").split("\n")
    return [line.split("\r")[-1].rstrip() for line in lines]


def blank_numbers(line: str) -> str:
    """The same line with its times blanked out."""
    return re.sub(r"\d+(ms|us|s)(/step)?|\d+ images/s", "T", line)


@pytest.mark.parametrize("verbose", [0, 1, 2])
@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("steps", [None, 1, 12])
def test_progress_lines(verbose: int, epochs: int, steps: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(module: Any) -> list[str]:
        model = ScriptedModel()
        listed = module.CallbackList([module.ProgbarLogger()], model=model, verbose=verbose, epochs=epochs, steps=steps)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            listed.on_train_begin()
            for epoch in range(epochs):
                listed.on_epoch_begin(epoch)
                for batch in range(steps or 5):
                    listed.on_train_batch_end(batch, {"loss": 1 / (batch + 1), "accuracy": 0.0})
                listed.on_test_begin()
                listed.on_test_end({"loss": 1.0})
                listed.on_epoch_end(epoch, {"loss": 0.25, "accuracy": 0.0005, "val_loss": -2.0})
            listed.on_train_end()
        return [blank_numbers(line) for line in painted(printed.getvalue())]

    assert run(ours) == run(keras.callbacks)


@pytest.mark.parametrize("verb", ["test", "predict"])
def test_progress_of_the_other_verbs(verb: str) -> None:
    def run(module: Any) -> list[str]:
        listed = module.CallbackList([module.ProgbarLogger()], model=ScriptedModel(), verbose=1, epochs=1, steps=3)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            getattr(listed, f"on_{verb}_begin")()
            for batch in range(3):
                getattr(listed, f"on_{verb}_batch_end")(batch, {"loss": 1.0})
            getattr(listed, f"on_{verb}_end")({"loss": 1.5} if verb == "test" else None)
        return [blank_numbers(line) for line in painted(printed.getvalue())]

    assert run(ours) == run(keras.callbacks)
