"""Makes what a training starts with: the hardware that its recipe asks for, and the network with its first weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.inference.inputs import info_of_recipe
from scene_lightning.models import load_model
from scene_lightning.recipes.network import build_model, compile_model
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports.named_files import name_files
from scene_lightning.reports.run_folder import find_model
from scene_lightning.training import devices
from scene_lightning.training.launch import check_launch, current_launch


def hardware_of(recipe: Recipe) -> dict[str, Any]:
    """Make `fit`'s hardware arguments, checked against this machine before anything slow.

    Args:
        recipe: its `training` section counts.
    """
    training = recipe.training
    chosen = training.devices
    wanted: dict[str, Any] = {
        "accelerator": training.accelerator,
        "devices": list(chosen) if isinstance(chosen, tuple) else chosen,
        "num_nodes": training.num_nodes,
        "strategy": training.strategy,
        "precision": training.precision,
        "deterministic": training.deterministic,
    }
    check_launch(wanted["devices"], training.num_nodes)
    if current_launch() is not None:
        wanted["devices"] = "auto"  # as many as were started
    wanted["num_nodes"] = devices.trainer_arguments(devices.Hardware(**wanted))["num_nodes"]
    return wanted


def device_count(hardware: dict[str, Any]) -> int:
    """Count the devices of all machines together.

    Args:
        hardware: as `hardware_of` gives it.
    """
    chosen = devices.trainer_arguments(devices.Hardware(**hardware))["devices"]
    return (chosen if isinstance(chosen, int) else len(chosen)) * int(hardware["num_nodes"])


def prepare_model(
    recipe: Recipe,
    class_names: Sequence[str],
    images: int | None = None,
    *,
    more_metrics: Sequence[Any] = (),
    resumed: bool = False,
) -> Any:
    """Build and compile the recipe's network; its first weights are those that it names, or follow from its seed.

    Args:
        images: how many an epoch has, for the schedule of the learning rate.
        recipe: the recipe.
        class_names: in the order of the network's outputs.
        more_metrics: what is measured besides the recipe's metrics.
        resumed: whether a checkpoint is about to replace the first weights.

    Raises:
        InputError: `initial_weights` names no model, or one of another network or other classes.
    """
    torch.manual_seed(recipe.training.seed)  # the initial weights
    model = build_model(recipe, len(class_names))
    if recipe.model.initial_weights is not None and not resumed:
        _begin_with(model, recipe.model.initial_weights, class_names)
    compile_model(model, recipe, images, more_metrics)
    model.image_info = info_of_recipe(recipe, class_names).as_dict()
    model.training_seed = recipe.training.seed
    model._recipe = name_files(recipe.model_dump(mode="json"))
    return model


def _begin_with(model: Any, name: str, class_names: Sequence[str]) -> None:
    """Take over the weights of a model of the same network and classes; the size of its images may differ."""
    trained = load_model(str(find_model(name)), compile=False)
    known = (trained.image_info or {}).get("class_names")
    if known is not None and list(known) != list(class_names):
        raise InputError(
            f"model.initial_weights: {name!r} knows the classes {', '.join(known)}; the data have "
            f"{', '.join(class_names)}. Expected a model of the same classes; --set initial_weights=null begins anew."
        )
    weights = trained.get_weights()
    own, theirs = ([tuple(array.shape) for array in arrays] for arrays in (model.get_weights(), weights))
    if own != theirs:
        raise InputError(
            f"model.initial_weights: {name!r} holds another network ({len(theirs)} weights, {trained.count_params():,} "
            f"parameters) than the recipe's ({len(own)} weights, {model.count_params():,} parameters). Expected the "
            "same architecture; --set initial_weights=null begins anew."
        )
    model.set_weights(weights)
