"""Builds and compiles the network that a recipe asks for, with the public API alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scene_lightning import layers, losses, models, optimizers
from scene_lightning._naming import snake_case
from scene_lightning.recipes.backbones import build_on_backbone
from scene_lightning.recipes.recipe import Recipe

_LAST_SHARE = 0.01  # of the learning rate, at the first and the last step of a cosine schedule


def build_model(recipe: Recipe, num_classes: int) -> Any:
    """Build the recipe's network, not compiled: the paper's, or the backbone that it names with a classifier.

    Args:
        recipe: its `model` section counts, and whether BatchNormalization is synchronised.
        num_classes: units of the softmax.
    """
    backbone = recipe.model.architecture != "paper"
    model = build_on_backbone(recipe, num_classes) if backbone else _paper_network(recipe, num_classes)
    if recipe.training.sync_batchnorm:
        for layer in model.modules():
            if isinstance(layer, layers.BatchNormalization):
                layer.synchronized = True
    return model


def _paper_network(recipe: Recipe, num_classes: int) -> Any:
    """Blocks of Conv2D, pooling, BatchNormalization, Dropout; Dense; softmax."""
    plan = recipe.model
    model = models.Sequential()
    rates = plan.dropout if isinstance(plan.dropout, tuple) else (plan.dropout,) * len(plan.filters)
    for block, (filters, rate) in enumerate(zip(plan.filters, rates, strict=True)):
        first: dict[str, Any] = {"input_shape": recipe.input_shape} if block == 0 else {}
        model.add(layers.Conv2D(filters, kernel_size=plan.kernel_size, activation="relu", **first))
        model.add(layers.MaxPooling2D(pool_size=plan.pool_size))
        model.add(layers.BatchNormalization())
        model.add(layers.Dropout(rate))
    model.add(layers.Flatten())
    for units in plan.dense:
        model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(plan.dense_dropout))
    model.add(layers.Dense(num_classes, activation=recipe.last_activation))
    return model


def compile_model(model: Any, recipe: Recipe, images: int | None = None, more_metrics: Sequence[Any] = ()) -> None:
    """Compile a model with the recipe's optimizer, loss and metrics.

    Args:
        images: how many an epoch has; a schedule needs it.
        model: the network.
        recipe: its `training` section counts.
        more_metrics: what is measured besides the recipe's metrics.
    """
    training = recipe.training
    model.compile(
        optimizer=_optimizer(recipe, images),
        loss=_loss(recipe),
        metrics=[*training.metrics, *more_metrics],
        jit_compile=training.jit_compile,
    )


def _optimizer(recipe: Recipe, images: int | None) -> Any:
    training = recipe.training
    config: dict[str, Any] = {"learning_rate": _rate(recipe, images), **training.optimizer_arguments}
    if training.ema_momentum:
        config.update(use_ema=True, ema_momentum=training.ema_momentum)
    return optimizers.get({"class_name": training.optimizer, "config": config})


def _rate(recipe: Recipe, images: int | None) -> Any:
    training = recipe.training
    assert training.learning_rate is not None
    if training.schedule == "constant" or images is None:
        return training.learning_rate
    steps = math.ceil(images / training.batch_size)  # on any number of devices, which take each batch together
    warmup = round(training.warmup_epochs * steps)
    if not warmup:
        return optimizers.schedules.CosineDecay(training.learning_rate, training.epochs * steps, alpha=_LAST_SHARE)
    return optimizers.schedules.CosineDecay(
        training.learning_rate * _LAST_SHARE, training.epochs * steps - warmup, alpha=_LAST_SHARE,
        warmup_target=training.learning_rate, warmup_steps=warmup,
    )  # fmt: skip


def _loss(recipe: Recipe) -> Any:
    training = recipe.training
    config = dict(training.loss_arguments)
    if training.label_smoothing:
        config["label_smoothing"] = training.label_smoothing
    if not config:
        return training.loss
    classes = {snake_case(name): name for name in losses.__all__ if isinstance(getattr(losses, name), type)}
    return losses.get({"class_name": classes[training.loss], "config": config})
