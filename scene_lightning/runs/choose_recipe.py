"""Chooses what to train where no recipe was named, and how many epochs there is time for: by steps timed here."""

from __future__ import annotations

import contextlib
import io
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image

from scene_lightning._main_process import is_main_process
from scene_lightning._terminal import labelled
from scene_lightning.data.randomness import permutation
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import RecipeError, SceneLightningError
from scene_lightning.recipes.backbones import weights_at_hand
from scene_lightning.recipes.recipe import Override, Recipe, find_key, load_recipe, with_values
from scene_lightning.recipes.values import seconds_in
from scene_lightning.reports.run_folder import RECIPE, begun_folder
from scene_lightning.runs.budget import SECONDS_TO_END, Clock
from scene_lightning.runs.inputs import decode_all, trial_feed
from scene_lightning.runs.prepare import hardware_of, prepare_model
from scene_lightning.runs.progressive_resizing import progressive_sizes, whole_maps
from scene_lightning.training.devices import Hardware
from scene_lightning.training.finders import try_batch_sizes
from scene_lightning.training.launch import current_launch

AUTO = "auto"
PLANNED = "20m"  # what the length of a run is planned for where no budget was given
_SHARE = 0.85  # of the budget that the plan fills: machines have other work, too
_SAMPLE = 48  # images that are looked at, decoded and timed
_STEPS, _ON_CPU = 8, 8  # timed steps, and images in each where a GPU does not need more to be busy
_LEAST_EPOCHS, _MOST_EPOCHS = 2, 8  # of fine-tuning
_SMALL = 180  # pixels: photographs of shorter sides are taken at 160 x 160, others at 224 x 224
_INSTALL = 'pip install "scene-lightning[backbones]"'


@dataclass(frozen=True)
class Chosen:
    """What will be trained.

    Attributes:
        recipe: with all keys resolved.
        why: one or two sentences: what it is, and why.
    """

    recipe: Recipe
    why: str


@dataclass(frozen=True)
class _Speed:
    """Seconds an image takes, measured on this machine."""

    decoding: float
    training: float

    def of(self, images: int) -> float:
        return images * self.training


class _Plan:
    """Counts the epochs that fit into the time.

    Args:
        counts: images to train on, and to validate on.
        seconds: the time that is left of the budget; 0 or less where it is used up.
    """

    def __init__(self, counts: tuple[int, int], seconds: float) -> None:
        self.train, self.validation = counts
        self._seconds = _SHARE * seconds - SECONDS_TO_END

    def epochs(self, speed: _Speed, frozen: _Speed, head_epochs: int = 0) -> int:
        """Epochs at `speed`, each with a validation at `frozen` (no gradients), after `head_epochs` at `frozen`."""
        validation = frozen.of(self.validation)
        fixed = (self.train + 2 * self.validation) * speed.decoding + validation  # decoding; judging the best
        head = head_epochs * (frozen.of(self.train) + validation)
        return math.floor((self._seconds - fixed - head) / (speed.of(self.train) + validation))

    def seconds(self, epochs: int, speed: _Speed, frozen: _Speed, head_epochs: int = 0) -> float:
        """What so many epochs take, all in all."""
        validation = frozen.of(self.validation)
        return (
            (self.train + 2 * self.validation) * speed.decoding + validation + SECONDS_TO_END
            + head_epochs * (frozen.of(self.train) + validation) + epochs * (speed.of(self.train) + validation)
        )  # fmt: skip


def settled(
    recipe: Recipe, config: str | None, images: tuple[ImageTable, int], overrides: Sequence[Override], clock: Clock
) -> tuple[Recipe, str | None]:
    """The recipe that a run begins with: chosen where none was named, its epochs fitted to its budget.

    Args:
        recipe: as it was named.
        config: its name; "auto" has one chosen, and printed.
        images: those to train on, and how many are validated on.
        overrides: what the command line says of a recipe; they win.
        clock: of the run.

    Returns:
        (the recipe, what was chosen and why, or None).
    """
    begun = begun_folder()
    if begun is not None and (begun / RECIPE).is_file():  # another process of this run has chosen
        return load_recipe(str(begun / RECIPE)), None
    if config != AUTO:
        return in_time(recipe, *images, overrides, clock), None
    chosen = choose(*images, overrides, clock)
    if is_main_process():
        print(labelled("chosen", chosen.why), flush=True)
    return chosen.recipe, chosen.why


def before_the_choice(overrides: Sequence[Override]) -> Recipe:
    """A recipe with the given settings of data and hardware, whatever network is chosen later: the paper's, if it can.

    Args:
        overrides: what the command line says.

    Raises:
        RecipeError: no recipe takes these settings.
    """
    try:
        return load_recipe("paper", overrides)
    except RecipeError as error:
        try:
            return load_recipe("transfer", overrides)
        except RecipeError:
            raise error from None


def choose(table: ImageTable, validation: int, overrides: Sequence[Override], clock: Clock) -> Chosen:
    """Choose the recipe that gives the best model for these images in the time.

    A network that ImageNet has taught, where its weights are on this machine: fine-tuned where there is time, otherwise
    its classifier alone, on frozen features. Without weights the paper's network, from scratch.

    Args:
        table: the images to train on.
        validation: how many are validated on.
        overrides: what the command line says of a recipe; they win.
        clock: of the run: what it has taken already is no longer left.

    Raises:
        RecipeError: overrides that no recipe takes.
    """
    plain = before_the_choice(overrides)
    of_network = [key for key in keys_of(overrides) if key.startswith("model.") and key != "model.input_size"]
    names = weights_at_hand()
    if of_network:
        return Chosen(load_recipe("paper", overrides), f"the paper's network, from scratch: {of_network[0]} was set")
    if plain.data.color_mode != "rgb":
        return Chosen(plain, f"the paper's network, from scratch: it takes {plain.data.color_mode} images")
    if not names:
        why = f"the paper's network, from scratch: no ImageNet weights on this machine ({_INSTALL} brings some)"
        return _of_paper(table, validation, overrides, clock, why)
    try:
        return _of_backbone(names, table, validation, overrides, clock)
    except RecipeError:  # settings that only the paper's network takes
        return Chosen(plain, "the paper's network, from scratch: a pretrained one does not take the given settings")


def _of_backbone(
    names: Sequence[str], table: ImageTable, validation: int, overrides: Sequence[Override], clock: Clock
) -> Chosen:
    name = names[0]
    side = 160 if _typical_side(table) <= _SMALL else 224
    base: list[Override] = [
        ("name", AUTO), ("model.architecture", name), ("model.input_size", side), ("model.fit_classifier", True),
        ("training.best_by", "val_loss"),  # accuracies of a few hundred images often tie
    ]  # fmt: skip
    frozen_sets: list[Override] = [*base, ("model.freeze", True), ("model.head_epochs", 0)]
    tuned_sets: list[Override] = [*base, ("model.freeze", "block4"), ("training.warmup_epochs", 1.25)]
    frozen = load_recipe("transfer", [*frozen_sets, *overrides])
    tuned = load_recipe("transfer", [*tuned_sets, *overrides])
    title = f"{name} (ImageNet's weights, {' x '.join(map(str, tuned.model.input_size))} pixels)"
    fixed = "training.epochs" in keys_of(overrides)
    if current_launch() is not None or fixed:
        return Chosen(tuned, f"{title}, fine-tuned: {'epochs were set' if fixed else 'not timed on several machines'}")
    unfrozen = with_values(tuned, {"model.head_epochs": 0, "model.fit_classifier": False})
    speeds = _speed(frozen, table), _speed(unfrozen, table)
    plan = _Plan((len(table), validation), _seconds_left(tuned, clock))
    epochs = plan.epochs(speeds[1], speeds[0], head_epochs=1)
    times = [f"{1000 * speed.training:.0f} ms" for speed in speeds]
    measured = f"{times[0]} an image frozen, {times[1]} fine-tuned, timed here"
    if epochs >= _LEAST_EPOCHS:
        epochs = min(epochs, _MOST_EPOCHS)
        took = plan.seconds(epochs, speeds[1], speeds[0], 1)
        recipe = with_values(tuned, {"training.epochs": 1 + epochs})
        what = f"{title}: its classifier on frozen features, then {epochs} epochs of fine-tuning"
        return Chosen(recipe, f"{what}; {measured}: {_planned(recipe, took)}")
    # one pass over unchanged images: features of changed ones gave nothing (docs/recipes.md)
    asked = keys_of(overrides)
    values: dict[str, Any] = {"training.epochs": 1, "training.warmup_epochs": 0.0}
    values.update({key: value for key, value in _UNCHANGED.items() if key not in asked})
    recipe = with_values(frozen, values)
    took = plan.seconds(1, speeds[0], speeds[0])
    what = f"{title}: its classifier alone, on frozen features; no time for fine-tuning"
    return Chosen(recipe, f"{what}; {measured}: {_planned(recipe, took)}")


_UNCHANGED: dict[str, Any] = {
    f"data.augmentation.{key}": value
    for key, value in {
        "zoom_range": 0.0, "width_shift_range": 0.0, "height_shift_range": 0.0, "brightness_range": None,
        "contrast_range": 0.0, "saturation_range": 0.0,
    }.items()
}  # fmt: skip


def _of_paper(table: ImageTable, validation: int, overrides: Sequence[Override], clock: Clock, why: str) -> Chosen:
    recipe = load_recipe("paper", overrides)
    return Chosen(in_time(recipe, table, validation, overrides, clock), why)


def in_time(recipe: Recipe, table: ImageTable, validation: int, overrides: Sequence[Override], clock: Clock) -> Recipe:
    """The recipe with as many of its epochs as its budget has time for; as it is without a budget.

    Args:
        recipe: a named recipe.
        table: the images to train on.
        validation: how many are validated on.
        overrides: what the command line says; epochs that it names stay.
        clock: of the run.
    """
    if recipe.training.budget is None or "training.epochs" in keys_of(overrides) or current_launch() is not None:
        return recipe
    speed = _speed(recipe, table)
    epochs = _Plan((len(table), validation), _seconds_left(recipe, clock)).epochs(speed, speed)
    epochs = max(1, min(recipe.training.epochs, epochs))
    values: dict[str, Any] = {"training.epochs": epochs}
    if recipe.training.warmup_epochs >= epochs:
        values["training.warmup_epochs"] = epochs / 4
    return with_values(recipe, values)


def _planned(recipe: Recipe, seconds: float) -> str:
    span = recipe.training.budget
    wanted = f"the {span}" if span else f"the {PLANNED} that a run is planned for without --budget"
    return f"about {_in_words(seconds)} of {wanted}"


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _seconds_left(recipe: Recipe, clock: Clock) -> float:
    span = seconds_in(recipe.training.budget or PLANNED)
    assert span is not None  # the recipe's schema has checked it
    return span - clock.seconds()


def keys_of(overrides: Sequence[Override]) -> list[str]:
    """List the whole keys that overrides set; those that are unknown are told when a recipe is loaded.

    Args:
        overrides: as for `load_recipe`.
    """
    keys = []
    for override in overrides:
        key = override.partition("=")[0].strip() if isinstance(override, str) else override[0]
        with contextlib.suppress(RecipeError):
            keys.append(find_key(key))
    return keys


def _sample(table: ImageTable) -> ImageTable:
    return table.take(sorted(permutation(0, 0, len(table))[:_SAMPLE]))


def _typical_side(table: ImageTable) -> float:
    """The median of the shorter sides of some images, in pixels; 224 where none of them opens."""
    sides = []
    for path in _sample(table).paths:
        with contextlib.suppress(Exception), Image.open(path) as image:  # what is damaged is told when it is decoded
            sides.append(min(image.size))
    return statistics.median(sides) if sides else 224.0


def _speed(recipe: Recipe, table: ImageTable) -> _Speed:
    """Time a few steps of a recipe on some of the images; decoding too."""
    sample = _sample(table)
    hardware = Hardware(**{**hardware_of(recipe), "devices": 1, "num_nodes": 1, "strategy": "auto"})
    state = torch.get_rng_state()
    with contextlib.redirect_stderr(io.StringIO()):  # the sample's troubles are all images' and are told with those
        began = time.monotonic()
        images = decode_all(recipe, sample, strict=False, shared=False)
        decoding = (time.monotonic() - began) / len(sample)
        on_gpu = torch.cuda.is_available() and recipe.training.accelerator != "cpu"
        size = recipe.training.batch_size if on_gpu else min(_ON_CPU, recipe.training.batch_size)
        model, feed_of, resized = prepare_model(recipe, table.class_names), partial(trial_feed, recipe, images), 1.0
        if (sizes := progressive_sizes(recipe)) is not None:
            whole_maps(model, recipe)
            resized = sizes.share_of_pixels()
        trial = next(iter(try_batch_sizes(model, feed_of, [size], steps=_STEPS, hardware=hardware)))
    torch.set_rng_state(state)
    if not trial.fits:
        raise SceneLightningError("Out of memory while a few steps were timed. Name a recipe with smaller images.")
    return _Speed(decoding, resized / trial.images_per_second)
