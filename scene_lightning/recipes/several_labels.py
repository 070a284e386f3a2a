"""Turns a recipe for one class an image into one for any number of labels."""

from __future__ import annotations

from typing import Any

from scene_lightning.data.label_folders import has_several_labels
from scene_lightning.errors import DataError, RecipeError
from scene_lightning.recipes.recipe import Recipe, with_values


def suited_to(recipe: Recipe, data: str) -> Recipe:
    """The recipe for what the images of a data folder have: one class each, or any number of labels.

    Args:
        recipe: for either.
        data: the data folder.

    Raises:
        RecipeError: as `for_several_labels`.
        DataError: a recipe for several labels, and images of one class each.
    """
    if has_several_labels(data, recipe.data.multi_label):
        return for_several_labels(recipe)
    if recipe.data.multi_label is not None:
        raise DataError(f"The recipe is for several labels an image. Expected {data!r} to hold their labels.csv.")
    return recipe


def for_several_labels(recipe: Recipe) -> Recipe:
    """The recipe with sigmoid outputs, the loss of each label by itself, and metrics that suit.

    Args:
        recipe: for classes that exclude one another, or for labels already.

    Raises:
        RecipeError: settings that mean nothing with several labels, all in one line.
    """
    data, training = recipe.data, recipe.training
    given = {
        "data.overlay": data.overlay, "data.mixup": data.mixup, "data.cutmix": data.cutmix,
        "data.sampling": data.sampling,
        "training.teacher": training.teacher, "training.class_weight": training.class_weight,
    }  # fmt: skip
    if wrong := [name for name, value in given.items() if value]:
        cure = " ".join(
            f"--set {name}={'0' if name.endswith('mix') or name.endswith('up') else 'null'}" for name in wrong
        )
        raise RecipeError(f"Images have several labels here: {', '.join(wrong)} need one class an image. Add {cure}")
    binary = training.loss.startswith("binary_")
    if not binary and training.loss != "categorical_crossentropy":
        raise RecipeError(
            f"Images have several labels here: training.loss {training.loss} needs one class an image. Expected "
            "binary_crossentropy or binary_focal_crossentropy."
        )
    values: dict[str, Any] = {"data.multi_label": data.multi_label or "csv"}
    if not binary:
        values.update({"training.loss": "binary_crossentropy", "training.loss_arguments": {}})
    if "accuracy" in training.metrics:
        kept = tuple(name for name in training.metrics if name not in ("accuracy", "binary_accuracy"))
        values["training.metrics"] = ("binary_accuracy", *kept)
        values["training.best_by"] = None if training.best_by == "val_accuracy" else training.best_by
    return with_values(recipe, values)
