"""Loads a model and gives the class probabilities of image files, one batch after another."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.decode import Unreadable
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.errors import FileFormatError, InputError, UnknownNameError
from scene_lightning.inference.inputs import info_of_model, prediction_feed
from scene_lightning.inference.last_layer import last_dense, logits_of, with_features
from scene_lightning.inference.rejection import Rejection
from scene_lightning.models import load_model
from scene_lightning.models.loading import load_to_answer
from scene_lightning.reports.run_folder import find_model
from scene_lightning.runtime.onnx_model import OnnxModel
from scene_lightning.training import devices
from scene_lightning.training.launch import check_launch, current_launch

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class RunOn:
    """Where and how a model answers; None leaves the choice to the program.

    Attributes:
        accelerator: "auto", "cpu", "cuda", "gpu" or "mps"; None for "auto".
        precision: Lightning's name of it, such as "bf16-mixed"; None for "32-true".
        batch_size: images a batch; None for 32.
        shared: whether the processes of a launcher share the images; otherwise each answers by itself.
        devices: how many, or which ("0,1"); None for one, or for as many as a launcher has started.
    """

    accelerator: str | None = None
    precision: str | None = None
    batch_size: int | None = None
    shared: bool = False
    devices: str | int | None = None

    def hardware(self) -> dict[str, Any]:
        """`predict`'s arguments, checked against this machine and its launcher."""
        wanted: dict[str, Any] = {
            "accelerator": self.accelerator or "auto",
            "devices": self.devices or ("auto" if self.shared and current_launch() is not None else 1),
            "precision": self.precision or "32-true",
        }
        chosen = devices.trainer_arguments(devices.Hardware(**wanted))
        if self.shared:
            check_launch(chosen["devices"], chosen["num_nodes"])
            wanted.update(devices=chosen["devices"], num_nodes=chosen["num_nodes"])
        return wanted


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to answer.

    Attributes:
        model: as loaded.
        info: how it wants its images.
        run_on: where and how it answers.
        folder: that of its file; None where it has none.
    """

    model: Any
    info: ImageInfo
    run_on: RunOn
    folder: Path | None = None

    @classmethod
    def load(cls, path: str, run_on: RunOn, *, several_labels: bool = False, with_optimizer: bool = False) -> Predictor:
        """From a model file, a run folder, or an `.onnx` file that `export` wrote.

        `several_labels`: whether the caller can take a model that gives an image any number of labels.
        `with_optimizer`: whether the model is to be saved again, with all that its file held.

        Raises:
            InputError: no such file, no model file, or a model that does not classify images.
        """
        run_on.hardware()
        if str(path).lower().endswith(".onnx"):
            exported = OnnxPredictor.of_file(str(path), run_on)
            _refuse_labels(path, exported.info, several_labels)
            return exported
        file = find_model(path)
        model = _loaded(str(file), with_optimizer)
        info = info_of_model(model)
        _refuse_labels(path, info, several_labels)
        outputs = model.output_shape
        if not isinstance(outputs, tuple) or len(outputs) != 2:
            raise InputError(f"{path!r} gives outputs of shape {outputs}. Expected one probability a class.")
        if outputs[1] != len(info.class_names) and (outputs[1], len(info.class_names)) != (1, 2):
            raise InputError(f"{path!r} has {outputs[1]} outputs but names {len(info.class_names)} classes.")
        return cls(model, info, run_on, file.parent)

    def predict(
        self,
        paths: Sequence[str],
        on_batch: Callable[[Sequence[int], Any, Probabilities], None],
        *,
        strict: bool = False,
        verbose: bool = True,
        mirrored: bool = False,
        on_unreadable: Callable[[int, str], None] | None = None,
        on_rejected: Callable[[list[int]], object] | None = None,
        on_features: Callable[[Sequence[int], NDArray[np.float32]], None] | None = None,
    ) -> Any:
        """Call `on_batch(positions in paths, raw outputs, probabilities)` for each batch; give back the feed.

        Files that cannot be read are left out, and noted in the feed, unless `strict`. `mirrored` shows the images
        with left and right exchanged. `on_unreadable(position, reason)` is called for each of those files, before the
        batch of the next image that can be read. `on_rejected(positions)`, with those of a batch that the model's
        rejection rule says are of none of its classes, and `on_features(positions, features (N, D))` are called before
        the batch's `on_batch`.
        """
        feed = prediction_feed(self.info, paths, self.run_on.batch_size or 32, strict, mirrored)

        def readable_positions() -> Iterator[int]:
            for position, path in enumerate(paths):
                if path not in feed.unreadable:
                    yield position
                elif on_unreadable is not None:
                    on_unreadable(position, feed.unreadable[path].reason)

        readable = readable_positions()
        rule = self.rejection if on_rejected is not None else None
        watched = rule is not None or on_features is not None

        def take(given: Any, batch: Any) -> None:
            outputs = given[1] if watched else given
            positions = [next(readable) for _ in range(len(outputs))]
            if rule is not None and on_rejected is not None:
                rejected = rule.rejects(logits=logits_of(last_dense(self.model), given[0]), features=given[0])
                on_rejected([position for position, unknown in zip(positions, rejected, strict=True) if unknown])
            if on_features is not None:
                on_features(positions, given[0])
            on_batch(positions, outputs, as_probabilities(outputs, self.model))

        network = with_features(self.model) if watched else self.model
        with stdout_to_stderr():
            network.predict(feed, verbose=int(verbose), on_batch=take, **self.run_on.hardware())
        for _ in readable:  # after the last readable image
            raise AssertionError("an image was neither answered nor noted as unreadable")
        return feed

    @property
    def rejection(self) -> Rejection | None:
        """The rule for images of none of the classes, from the model's file; None without one.

        Raises:
            InputError: a rule that this version does not know, or a damaged one.
        """
        if self.info.rejection is None:
            return None
        rule = Rejection.of_dict(self.info.rejection)
        rule.check_fits(len(last_dense(self.model).get_weights()[0]))
        return rule

    def probabilities(self, paths: Sequence[str], *, mirrored: bool = False) -> Probabilities:
        """(N, K), one row an image, in the order of `paths`.

        Raises:
            InputError: an image that cannot be read.
        """
        rows = np.zeros((len(paths), len(self.info.class_names)), dtype=np.float32)

        def take(positions: Sequence[int], outputs: Any, probabilities: Probabilities) -> None:
            rows[list(positions)] = probabilities

        self.predict(paths, take, strict=True, verbose=False, mirrored=mirrored)
        return rows


class _NotInOnnx(InputError, AttributeError):
    """Something of a model that an exported file has not; for `getattr` with a default it is just missing."""


@dataclass(frozen=True)
class _OnnxStandIn:
    """What callers ask a predictor's model, of an exported one: it has answers, but no layers or weights."""

    loss: str | None
    _images_seen: str | None
    image_info: dict[str, Any]
    _recipe: None = None
    layers: tuple[()] = ()

    def __getattr__(self, name: str) -> Any:
        raise _NotInOnnx("An exported .onnx file has answers alone. Expected the model file that it was exported from.")


@dataclass(frozen=True)
class Unread:
    """The feed of an exported model's answers, in so far as callers look at it.

    Attributes:
        unreadable: the files that could not be read, by path.
    """

    unreadable: dict[str, Unreadable]


@dataclass(frozen=True)
class OnnxPredictor(Predictor):
    """An exported model that onnxruntime runs, on the processor.

    Attributes:
        runtime: the model with its preprocessing.
    """

    runtime: OnnxModel = field(kw_only=True)

    @classmethod
    def of_file(cls, path: str, run_on: RunOn) -> OnnxPredictor:
        """From an `.onnx` file.

        Raises:
            InputError: no such file, none of `export`'s, or a device or precision that it does not run in.
        """
        if run_on.accelerator not in (None, "auto", "cpu") or run_on.precision not in (None, "32-true", "32"):
            wanted = run_on.accelerator if run_on.accelerator not in (None, "auto", "cpu") else run_on.precision
            raise InputError(f"An .onnx file runs on the processor, as it was exported; received {wanted!r}.")
        runtime = OnnxModel(path)
        made = runtime.metadata
        one_class = made.info.thresholds is None
        kind = "sparse_categorical_crossentropy" if one_class else "binary_crossentropy"
        loss = kind if made.loss == "crossentropy" else None
        return cls(_OnnxStandIn(loss, made.images_seen, made.info.as_dict()), made.info, run_on, runtime=runtime)

    @property
    def rejection(self) -> Rejection | None:
        """The rule for images of none of the classes, whose score the graph computes; None without one."""
        return self.runtime.rejection

    def predict(
        self,
        paths: Sequence[str],
        on_batch: Callable[[Sequence[int], Any, Probabilities], None],
        *,
        strict: bool = False,
        verbose: bool = True,
        mirrored: bool = False,
        on_unreadable: Callable[[int, str], None] | None = None,
        on_rejected: Callable[[list[int]], object] | None = None,
        on_features: Callable[[Sequence[int], NDArray[np.float32]], None] | None = None,
    ) -> Any:
        """As `Predictor.predict`; the raw outputs are the probabilities.

        Raises:
            InputError: features or answers to mirrored images, which the file does not give.
        """
        if on_features is not None:
            raise InputError("An exported model gives no features. Expected a model file of this package.")
        if mirrored:
            raise InputError("An exported model looks at images as they are. Expected a model file of this package.")

        def take(positions: Sequence[int], probabilities: Probabilities) -> None:
            on_batch(positions, probabilities, probabilities)

        size = self.run_on.batch_size
        unreadable = self.runtime.predict(
            paths, take, batch_size=size, strict=strict, on_unreadable=on_unreadable, on_rejected=on_rejected
        )
        return Unread(unreadable)


def _refuse_labels(path: str, info: ImageInfo, several_labels: bool) -> None:
    if info.thresholds is not None and not several_labels:
        raise InputError(
            f"{path!r} gives an image any number of labels; this takes a model that names one class. Expected "
            "another one; `predict` and `evaluate` take both."
        )


def _loaded(path: str, with_optimizer: bool) -> Any:
    """The model; a loss or metric of its maker's own, which nobody can hand in here, is left out with a note."""
    try:
        return load_model(path) if with_optimizer else load_to_answer(path)
    except FileFormatError as error:
        if not isinstance(error.__cause__, UnknownNameError):
            raise
        model = load_model(path, compile=False)
        own = error.__cause__.name
        print(f"note: {own!r} is code of the model's maker: it answers without a loss", file=sys.stderr)
        return model


def as_probabilities(outputs: NDArray[Any], model: Any) -> Probabilities:
    """Turn a classifier's outputs into (N, K) that sum to 1: a sigmoid unit gives two classes, logits a softmax.

    Args:
        outputs: (N, K), or (N, 1) of one sigmoid unit.
        model: what gave them.
    """
    if outputs.shape[1] == 1:
        second = outputs if not gives_logits(model) else 1 / (1 + np.exp(-outputs))
        return np.concatenate([1 - second, second], axis=1)
    if gives_logits(model):
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return outputs


def gives_logits(model: Any) -> bool:
    """Say whether the network ends without softmax or sigmoid, so that its loss takes logits.

    Args:
        model: a classifier.
    """
    if getattr(model.loss, "from_logits", False) or _config(model.loss).get("from_logits"):
        return True
    last = model.layers[-1].get_config() if model.layers else {}
    return last.get("activation") == "linear"


def _config(loss: Any) -> dict[str, Any]:
    return loss.get_config() if hasattr(loss, "get_config") else {}


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Within the block progress goes to stderr: stdout is for results."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
