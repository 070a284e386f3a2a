"""A recipe and the number of classes in; a compiled Keras-style model out. Written with the public API alone."""

from __future__ import annotations

from typing import Any

from scene_lightning import layers, losses, models, optimizers
from scene_lightning.app.recipe import Recipe


def build_model(recipe: Recipe, num_classes: int) -> Any:
    """The recipe's network, not compiled: blocks of Conv2D, pooling, BatchNormalization, Dropout; Dense; softmax."""
    plan = recipe.model
    model = models.Sequential()
    for block, filters in enumerate(plan.filters):
        first: dict[str, Any] = {"input_shape": recipe.input_shape} if block == 0 else {}
        model.add(layers.Conv2D(filters, kernel_size=plan.kernel_size, activation="relu", **first))
        model.add(layers.MaxPooling2D(pool_size=plan.pool_size))
        model.add(layers.BatchNormalization())
        model.add(layers.Dropout(plan.dropout))
    model.add(layers.Flatten())
    for units in plan.dense:
        model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(plan.dense_dropout))
    model.add(layers.Dense(num_classes, activation="softmax"))
    return model


def compile_model(model: Any, recipe: Recipe) -> None:
    """`model.compile` with the recipe's optimizer, loss and metrics."""
    training = recipe.training
    model.compile(optimizer=_optimizer(recipe), loss=_loss(recipe), metrics=list(training.metrics))


def _optimizer(recipe: Recipe) -> Any:
    training = recipe.training
    config = {"learning_rate": training.learning_rate, **training.optimizer_arguments}
    return optimizers.get({"class_name": training.optimizer, "config": config})


def _loss(recipe: Recipe) -> Any:
    training = recipe.training
    if not training.label_smoothing:
        return training.loss
    class_name = "".join(part.title() for part in training.loss.split("_"))
    return losses.get({"class_name": class_name, "config": {"label_smoothing": training.label_smoothing}})
