"""Lets a training that ran out of memory go on with half the batch size."""

from __future__ import annotations

import gc
import json
import shlex
from pathlib import Path
from typing import Any

import torch

from scene_lightning._atomic_write import write_text
from scene_lightning._terminal import labelled
from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import Recipe, dump_recipe, with_values
from scene_lightning.reports.named_files import name_files
from scene_lightning.reports.run_folder import LAST, RECIPE
from scene_lightning.runs.checkpoints import CheckpointFiles
from scene_lightning.runs.resume_checkpoint import Resume
from scene_lightning.saving.checkpoint import SECTION, read_checkpoint
from scene_lightning.training.finders import is_out_of_memory


def with_half_the_batch(recipe: Recipe, folder: Path, devices: int, error: BaseException) -> Recipe:
    """The recipe with half its batch size, for a training that `error` has ended.

    Args:
        recipe: of the training.
        folder: the run's.
        devices: how many took part.
        error: what ended it.

    Raises:
        InputError: it ran out of memory, and can't go on by itself: on several devices, or with batches of one image.
        BaseException: `error` itself, where it is of another kind.
    """
    size = recipe.training.batch_size
    if not is_out_of_memory(error):
        raise error
    if size == 1:
        raise InputError(
            "Out of memory with batches of a single image. Take a smaller data.input_size or network, "
            "training.precision=bf16-mixed, or a machine with more memory."
        ) from error
    if devices > 1:
        cure = f"scene-lightning train --resume {shlex.quote(str(folder))} --batch-size {size // 2}"
        raise InputError(f"Out of memory with batches of {size} on {devices} devices. Go on with: {cure}") from error
    return with_values(recipe, {"training.batch_size": size // 2})


def go_on(folder: Path, recipe: Recipe, images: int, earlier: Resume | None) -> Resume | None:
    """The state to go on from with another batch size; kept in the run's folder, as is the recipe.

    Args:
        folder: the run's.
        recipe: with the new batch size.
        images: how many are trained on in an epoch.
        earlier: what the training that ended had gone on from.

    Returns:
        The last state that was saved, or None where the training begins again.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    own = Resume.read(str(folder))
    saved = own if own.path is not None else earlier
    size, place = recipe.training.batch_size, "the beginning"
    write_text(folder / RECIPE, dump_recipe(recipe))
    if saved is not None and saved.path is not None:
        state = read_checkpoint(saved.path)
        change_batch_size(state, recipe, images)
        CheckpointFiles().save_checkpoint(state, folder / LAST)
        saved, place = Resume.read(str(folder)), f"the state of epoch {saved.epochs_done + 1} that was saved"
    print(labelled("note", f"out of memory: goes on with batches of {size}, from {place}"), flush=True)
    return saved


def change_batch_size(state: dict[str, Any], recipe: Recipe, images: int) -> None:
    """Change the place of a checkpoint in its epoch, and the optimizer's count of steps, to another batch size.

    At most the images of one batch are trained on twice.

    Args:
        state: a checkpoint; changed in place.
        recipe: with the new batch size.
        images: how many are trained on in an epoch.
    """
    section, size = state[SECTION], recipe.training.batch_size
    old = json.loads(section["recipe"])["training"]["batch_size"] if section["recipe"] else size
    section["recipe"] = json.dumps(name_files(recipe.model_dump(mode="json")))
    loop = state["loops"]["fit_loop"]
    progress = loop["epoch_loop.batch_progress"]
    is_last = progress["is_last_batch"]
    for name, batches in progress["current"].items():
        progress["current"][name] = -(-images // size) if is_last else batches * old // size
    steps, before = -(-images // size), -(-images // old)
    for optimizer in state["optimizer_states"]:
        if "iterations" in optimizer:
            optimizer["iterations"] = round(optimizer["iterations"] * steps / before)
