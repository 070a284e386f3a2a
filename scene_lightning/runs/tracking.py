"""Shows a run to TensorBoard, MLflow or Weights & Biases: rate, confusions and samples by epoch, graph, settings."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image

from scene_lightning._main_process import is_main_process
from scene_lightning.inference.predictor import as_probabilities
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports.quick_pictures import matrix_picture, mosaic

_SAMPLES = 12
_GRAPH_SIZE_LIMIT = 50_000_000  # weights; the drawing of more takes minutes


class TrackValidation(L.Callback):
    """Sends a logger what numbers alone do not say. The validation's own outputs are counted, nothing is done twice.

    Args:
        recipe: the run's.
        class_names: in the order of the network's outputs.
    """

    def __init__(self, recipe: Recipe, class_names: list[str]) -> None:
        self._recipe, self._names = recipe, class_names
        self._matrix: torch.Tensor | None = None
        self._samples: tuple[Any, Any, Any] | None = None
        self._best = -np.inf

    # -- settings and graph --------------------------------------------------------------------------------------------

    def on_fit_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                self._draw_graph(logger, pl_module)
            else:
                logger.log_hyperparams(_not_logged_before(logger, settings(self._recipe)))

    def on_fit_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """TensorBoard lists settings beside the figure that they led to, which is known at the end."""
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero and np.isfinite(self._best):
                logger.log_hyperparams(settings(self._recipe), {"best_val_accuracy": self._best})
                logger.save()

    def _draw_graph(self, logger: TensorBoardLogger, model: Any) -> None:
        if sum(weight.numel() for weight in model.parameters()) > _GRAPH_SIZE_LIMIT:
            return
        height, width, channels = self._recipe.input_shape
        try:
            weight = next(iter(model.parameters()))
            with torch.random.fork_rng(), torch.no_grad(), _traced(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tracer's, of a trace that nothing is computed with
                images = torch.zeros(1, height, width, channels, device=weight.device, dtype=weight.dtype)
                logger.experiment.add_graph(_Answering(model), images, use_strict_trace=False)
        except Exception as error:  # torch's tracer raises whatever a layer's code meets
            print(f"note: TensorBoard has no graph of this network: {type(error).__name__}", file=sys.stderr)

    # -- each epoch ----------------------------------------------------------------------------------------------------

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        optimizer = getattr(pl_module, "optimizer", None)
        if optimizer is not None:
            for logger in trainer.loggers:
                logger.log_metrics({"learning_rate": float(optimizer.learning_rate)}, step=trainer.current_epoch + 1)

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        one_label = self._recipe.data.multi_label is None  # of several there is no confusion of one with another
        if trainer.state.fn == "fit" and not trainer.sanity_checking and one_label:
            self._matrix = self._samples = None
            pl_module.on_validation_outputs = self._take

    def _take(self, x: Any, y: Any, outputs: Any) -> None:
        """Count one batch on its device; no value is waited for."""
        if not all(isinstance(one, torch.Tensor) for one in (x, y, outputs)):
            return
        size = len(self._names)
        predicted = (outputs[:, 0] > 0.5).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
        true = y.argmax(dim=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1).long()
        if self._matrix is None:
            self._matrix = torch.zeros(size * size, dtype=torch.float32, device=outputs.device)
            self._samples = tuple(one[:_SAMPLES].detach().float() for one in (x, true, outputs))
        self._matrix.index_add_(0, true * size + predicted, torch.ones_like(true, dtype=torch.float32))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        pl_module.on_validation_outputs = None
        if self._matrix is None or self._samples is None or trainer.state.fn != "fit":
            return
        counts = self._matrix if trainer.world_size == 1 else trainer.strategy.reduce(self._matrix, reduce_op="sum")
        size = len(self._names)
        matrix = counts.cpu().numpy().astype(np.int64).reshape(size, size)
        self._best = max(self._best, float(np.trace(matrix) / max(matrix.sum(), 1)))
        if not trainer.is_global_zero:
            return
        pictures = {
            "confusion_matrix": matrix_picture(matrix, self._names),
            "sample_predictions": self._drawn_samples(pl_module),
        }
        for logger in trainer.loggers:
            for name, picture in pictures.items():
                _log_picture(logger, name, picture, trainer.current_epoch + 1)
        self._matrix = self._samples = None

    def _drawn_samples(self, model: Any) -> Image.Image:
        assert self._samples is not None
        images, true, outputs = (one.cpu().numpy() for one in self._samples)
        rows = as_probabilities(outputs, model)
        pixels = (images / self._recipe.data.rescale).clip(0, 255).round().astype(np.uint8)
        tiles = []
        for one, label, row in zip(pixels, true, rows, strict=True):
            answer, truth = self._names[row.argmax()], self._names[int(label)]
            tiles.append((one, f"{answer} {100 * row.max():.0f} %{'' if answer == truth else f', is {truth}'}"))
        return mosaic(tiles)


@contextmanager
def _traced() -> Iterator[None]:
    """The tracer reads every attribute: models within a model have no Trainer, which Lightning says by an error.

    What TensorBoard prints of a trace that failed stays unsaid.
    """
    before = L.LightningModule._jit_is_scripting
    L.LightningModule._jit_is_scripting = True
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        L.LightningModule._jit_is_scripting = before


class _Answering(torch.nn.Module):
    """The network as it answers, for the tracer: no dropout, no statistics that move."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.network = model

    def forward(self, images: torch.Tensor) -> Any:
        return self.network(images, training=False)


def settings(recipe: Recipe) -> dict[str, Any]:
    """The recipe as `section.key` → a number, a text or a truth value.

    Args:
        recipe: the recipe.
    """
    rows: dict[str, Any] = {"name": recipe.name}
    for section in ("model", "data", "training"):
        for key, value in recipe.model_dump(mode="json")[section].items():
            plain = value if isinstance(value, int | float | str | bool) else str(value)
            rows[f"{section}.{key}"] = plain
    return rows


def _not_logged_before(logger: Any, values: dict[str, Any]) -> dict[str, Any]:
    """MLflow lets no setting change: of a run that goes on, those that it began with stay."""
    if not isinstance(logger, MLFlowLogger):
        return values
    known = logger.experiment.get_run(logger.run_id).data.params
    return {name: value for name, value in values.items() if name not in known}


def _log_picture(logger: Any, name: str, picture: Image.Image, epoch: int) -> None:
    if not is_main_process():
        return
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, np.asarray(picture), epoch, dataformats="HWC")
    elif isinstance(logger, WandbLogger):
        logger.log_image(name, [picture], step=epoch)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, picture, artifact_file=f"{name}/{epoch:04}.png")
