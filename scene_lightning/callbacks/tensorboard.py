"""Writes the logs of epochs or batches, and the weights, for TensorBoard."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from scene_lightning._main_process import is_main_process
from scene_lightning.callbacks.base import Callback
from scene_lightning.errors import InputError

_log = logging.getLogger("scene_lightning")


class TensorBoard(Callback):
    """Write logs for TensorBoard. Keras: `keras.callbacks.TensorBoard`.

    Two writers, `log_dir/train` and `log_dir/validation`; tags `epoch_<name>` at the epoch's index (from 0),
    `epoch_learning_rate`, `batch_<name>` if batches are written, `evaluation_<name>_vs_iterations`.

    Args:
        log_dir: the folder.
        histogram_freq: write histograms of the weights every so many epochs; 0 never.
        write_graph: without effect: the graph is in the model file, and in `plot_model`.
        write_images: with `histogram_freq`, draw the weights too.
        write_steps_per_second: write the speed too.
        update_freq: "epoch", "batch", or every so many batches.
        profile_batch: without effect: use Lightning's `Trainer(profiler=...)`.
        embeddings_freq, embeddings_metadata, embeddings_layer_names, embeddings_data: without effect: image models have
            no embeddings to show.
        write_grads, batch_size: Keras 2's, without effect.

    Raises:
        InputError: an impossible `update_freq` or `profile_batch`.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
        embeddings_layer_names: Any = None,
        embeddings_data: Any = None,
        write_grads: bool = False,
        batch_size: int | None = None,
    ) -> None:
        super().__init__()
        self.log_dir = str(log_dir)
        self.histogram_freq, self.write_graph, self.write_images = histogram_freq, write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        if self.update_freq != "epoch" and not (isinstance(self.update_freq, int) and self.update_freq > 0):
            raise InputError(f"`update_freq` must be 'epoch', 'batch' or a whole number; received {update_freq!r}.")
        _check_profile_batch(profile_batch)
        left_out = {"profile_batch": profile_batch, "embeddings_freq": embeddings_freq, "write_grads": write_grads}
        for name, value in left_out.items():
            if value:
                _log.warning("TensorBoard(%s=%r) writes nothing here; the other arguments do their work.", name, value)
        if write_graph:  # on by default: a warning would meet everybody
            _log.info("TensorBoard(write_graph=True) writes nothing here: draw the graph with plot_model(model).")
        self._writers: dict[str, Any] = {}
        self._global_train_batch = 0
        self._global_test_batch = 0
        self._batch_start = self._epoch_start = 0.0
        self._iterations_before_epoch = 0

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._close()

    def _writer(self, name: str) -> Any:
        if name not in self._writers:
            try:
                from torch.utils.tensorboard import SummaryWriter  # heavy, and an optional package
            except ImportError as error:
                raise InputError("The TensorBoard callback needs the package tensorboard: pip install it.") from error
            self._writers[name] = SummaryWriter(os.path.join(self.log_dir, name))
        return self._writers[name]

    def _scalars(self, writer: str, prefix: str, suffix: str, logs: Any, step: int) -> None:
        for name, value in logs.items():
            if is_main_process() and np.ndim(value) == 0:
                self._writer(writer).add_scalar(f"{prefix}{name}{suffix}", float(value), step)

    def _records(self, step: int) -> bool:
        return isinstance(self.update_freq, int) and step % self.update_freq == 0

    def _iterations(self) -> int:
        return int(getattr(self.model.optimizer, "iterations", 0))

    def on_train_begin(self, logs: Any = None) -> None:
        self._global_train_batch = 0

    def on_train_end(self, logs: Any = None) -> None:
        self._close()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.write_steps_per_second:
            self._iterations_before_epoch, self._epoch_start = self._iterations(), time.time()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._global_train_batch += 1
        self._batch_start = time.time()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self._global_train_batch
        if not self._records(step):
            return
        if self.write_steps_per_second:
            rate = 1.0 / max(time.time() - self._batch_start, 1e-9)
            self._scalars("train", "batch_", "", {"steps_per_second": rate}, step)
        self._scalars("train", "batch_", "", logs or {}, step)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._global_test_batch += 1

    def on_test_end(self, logs: Any = None) -> None:
        if getattr(self.model, "optimizer", None) is None:
            return
        if self.update_freq == "epoch" or self._records(self._global_test_batch):
            self._scalars("validation", "evaluation_", "_vs_iterations", logs or {}, self._iterations())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        if logs and hasattr(getattr(self.model, "optimizer", None), "learning_rate"):
            train["learning_rate"] = float(self.model.optimizer.learning_rate)
        if logs and self.write_steps_per_second:
            steps = self._iterations() - self._iterations_before_epoch
            train["steps_per_second"] = steps / max(time.time() - self._epoch_start, 1e-9)
        self._scalars("train", "epoch_", "", train, epoch)
        validation = {name[4:]: value for name, value in logs.items() if name.startswith("val_")}
        self._scalars("validation", "epoch_", "", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0 and is_main_process():
            self._log_weights(epoch)
        for writer in self._writers.values():
            writer.flush()

    def _log_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for path, weight in _weights_by_path(self.model):
            values = weight.detach().float().cpu()
            writer.add_histogram(f"{path}/histogram", values, epoch)
            if self.write_images:
                image = _as_images(values.numpy())
                if image is not None:
                    writer.add_images(f"{path}/image", image, epoch, dataformats="NHWC")

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _check_profile_batch(profile_batch: Any) -> None:
    message = (
        "profile_batch must be a non-negative integer or 2-tuple of positive integers. A pair of positive integers "
        f"signifies a range of batches to profile. Found: {profile_batch}"
    )
    try:
        parts = profile_batch.split(",") if isinstance(profile_batch, str) else np.atleast_1d(profile_batch)
        numbers = [int(part) for part in parts]
    except (TypeError, ValueError):
        raise InputError(message) from None
    if len(numbers) not in (1, 2) or numbers[0] < 0 or numbers[-1] < numbers[0]:
        raise InputError(message)


def _weights_by_path(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Each layer's weights under `layer/weight`, as Keras 3 calls them."""
    for layer in model.layers:
        named = [*layer.named_parameters(), *layer.named_buffers()]
        names = {id(weight): name.replace(".", "/") for name, weight in named}
        for weight in layer.weights:
            yield f"{layer.name}/{names.get(id(weight), 'weight')}", weight


def _as_images(values: np.ndarray) -> np.ndarray | None:
    """A weight → up to three pictures (N, H, W, C) in 0..1, or None when it is no picture. Source: Keras' rule."""
    values = values.squeeze()
    if values.ndim == 1:
        images = values[None, :, None, None]
    elif values.ndim == 2:
        images = (values.T if values.shape[0] > values.shape[1] else values)[None, :, :, None]
    elif values.ndim == 3:
        images = values.transpose(2, 0, 1)[..., None]
    elif values.ndim == 4:
        images = values
    else:
        return None
    if images.shape[-1] not in (1, 3, 4) or images.size == 0:
        return None
    return np.clip(images[:3, :, :, :3], 0.0, 1.0)  # the writer knows no alpha channel
