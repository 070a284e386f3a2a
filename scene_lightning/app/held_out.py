"""A trained model and the data folder of its training in; the photographs that training held out there, out."""

from __future__ import annotations

from scene_lightning.app.answers import Answerer
from scene_lightning.data.scan import ImageTable, find_splits, relabel
from scene_lightning.errors import InputError


def held_out_images(answerer: Answerer, trained_on: str) -> ImageTable:
    """The same share again: which it was follows from the recipe in the model's file.

    Raises:
        InputError: a file without its recipe, or data that cannot be what it was trained on.
    """
    recipe = answerer.model._recipe
    if not recipe:
        raise InputError(
            "The model's file does not say which share of the data its training held out. Expected a model that "
            "`scene-lightning train` made, or other labelled photographs that it was not trained on."
        )
    split = find_splits(trained_on, recipe["data"]["val_split"], recipe["training"]["seed"])
    return relabel(split.validation, answerer.info.class_names)
