"""Finds a learning rate or a batch size for a recipe, and prints and draws how."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from scene_lightning.data.cache import CachedImages
from scene_lightning.data.overlay import find_overlay
from scene_lightning.data.randomness import permutation
from scene_lightning.dataset_check.quick import checked_training_images
from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import Override, Recipe, load_recipe
from scene_lightning.recipes.several_labels import suited_to
from scene_lightning.reports.messages import report_unreadable, say_left_out
from scene_lightning.reports.plots import save_figure
from scene_lightning.reports.tables import format_table
from scene_lightning.runs.inputs import decode_all, training_feed, trial_feed
from scene_lightning.runs.prepare import hardware_of, prepare_model
from scene_lightning.runs.progressive_resizing import whole_maps
from scene_lightning.training.devices import Hardware
from scene_lightning.training.finders import BatchTrial, RateCurve, sweep_rates, try_batch_sizes

_LARGEST_BATCH = 1024


def find_learning_rate(
    data: str,
    config: str | None = None,
    overrides: Sequence[Override] = (),
    *,
    rates: tuple[float, float] = (1e-6, 1.0),
    steps: int = 100,
    picture: str = "learning_rate.png",
    as_json: bool = False,
) -> RateCurve:
    """Sweep the learning rate on a recipe's network and training images; print the suggestion and draw the curve.

    The recipe's schedule and teacher stay out of it: the network has its first weights, the targets are the labels.

    Args:
        data, config, overrides: as for `train`.
        rates: the first and the last rate.
        steps: of training, from one to the other.
        picture: a picture's file.
        as_json: print one JSON object: suggestion, range, doubtful, rates, losses, diverged, picture.

    Raises:
        InputError: bad arguments, or a loss that falls at no rate.
    """
    if not 0 < rates[0] < rates[1]:
        raise InputError(f"Expected two rates above 0, the first below the second; received {rates[0]} and {rates[1]}.")
    recipe = suited_to(load_recipe(config or "paper", overrides), data)
    images, model, hardware = _prepare(data, recipe, steps * recipe.training.batch_size)
    print(f"{steps} steps of {recipe.training.batch_size} images, {rates[0]:g} to {rates[1]:g} ...", file=sys.stderr)
    curve = sweep_rates(model, training_feed(recipe, images), rates, steps, hardware)
    suggestion = curve.suggestion()
    _plot_rates(curve, picture)
    if as_json:
        doubt = {"range": curve.range(), "doubtful": curve.is_doubtful()}
        print(json.dumps({"suggestion": suggestion, **doubt, **asdict(curve), "picture": picture}))
        return curve
    if suggestion is None:
        raise InputError(
            f"The loss falls at no rate from {rates[0]:g} to {rates[1]:g}; see {picture}. Try other --from and --to, "
            "or more --steps."
        )
    print(f"learning rate  {suggestion:.2g}   (with {recipe.training.optimizer}: the loss falls fastest there)")
    span = curve.range()
    if curve.is_doubtful():
        between = "elsewhere" if span is None else f"to {span[0]:.2g} … {span[1]:.2g}"
        print(f"doubtful       noise could move it {between}: try --steps {3 * steps}")
    elif span is not None:
        print(f"range          {span[0]:.2g} to {span[1]:.2g} in 80 % of sweeps with other noise")
    print(f"picture        {picture}")
    words = ["train", data, *(["--config", config] if config else []), "--set", f"learning_rate={suggestion:.2g}"]
    print(f"to use it      {shlex.join(['scene-lightning', *words])}")
    return curve


def _plot_rates(curve: RateCurve, path: str | Path) -> Path:
    """Loss against learning rate, each step and smoothed, with the suggestion marked."""
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    below, above = curve.smoothed - curve.band, curve.smoothed + curve.band
    axes.fill_between(curve.rates, below, above, color="#0072B2", alpha=0.15, linewidth=0, label="scatter of the steps")
    axes.plot(curve.rates, curve.losses, ".", color="0.6", markersize=4, label="each step")
    axes.plot(curve.rates, curve.smoothed, color="#0072B2", linewidth=1.6, label="smoothed")
    suggestion, span = curve.suggestion(), curve.range()
    doubt = " (doubtful)" if curve.is_doubtful() else ""
    if suggestion is not None and span is not None:
        axes.axvspan(*span, color="#D55E00", alpha=0.12, linewidth=0, label="80 % of suggestions with other noise")
    if suggestion is not None:
        place = curve.rates.index(suggestion)
        axes.plot(suggestion, curve.smoothed[place], "o", color="#D55E00", label=f"suggested: {suggestion:.2g}{doubt}")
    axes.set(xscale="log", xlabel="Learning rate", ylabel="Loss")
    axes.set_title("Loss while the learning rate rises", loc="left", fontweight="bold")
    if len(curve.losses) > 2:  # one exploding step would flatten all that matters
        low, high = min(curve.smoothed), max(curve.smoothed[0], min(curve.smoothed))
        axes.set_ylim(low - 0.15 * (high - low) - 1e-9, high + 0.75 * (high - low) + 1e-9)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return save_figure(figure, path)


def find_batch_size(
    data: str,
    config: str | None = None,
    overrides: Sequence[Override] = (),
    *,
    limit: int | None = None,
    as_json: bool = False,
) -> list[BatchTrial]:
    """Train a recipe's network for a few steps on batches of 1, 2, 4, … images; print what fits, and how fast it is.

    Args:
        data, config, overrides: as for `train`.
        limit: the largest size to try; None for 1,024. There are never more than training images.
        as_json: print one JSON object: largest, fastest and trials.

    Raises:
        InputError: bad arguments, or not even a single image fits.
    """
    recipe = suited_to(load_recipe(config or "paper", overrides), data)
    images, model, hardware = _prepare(data, recipe, limit or _LARGEST_BATCH)
    most = min(limit or _LARGEST_BATCH, len(images.table))
    sizes = [2**power for power in range(most.bit_length()) if 2**power <= most]
    trials = []
    for trial in try_batch_sizes(model, partial(trial_feed, recipe, images), sizes, hardware=hardware):
        trials.append(trial)
        speed = f"{trial.images_per_second:.0f} images/s" if trial.fits else "does not fit"
        print(f"batches of {trial.batch_size}: {speed}", file=sys.stderr, flush=True)
    fitting = [trial for trial in trials if trial.fits]
    if not fitting:
        raise InputError("Not even one image at a time fits into memory. Choose a smaller --set input_size or network.")
    fastest = max(fitting, key=lambda trial: trial.images_per_second).batch_size
    if as_json:
        result = {"largest": fitting[-1].batch_size, "fastest": fastest, "trials": [asdict(trial) for trial in trials]}
        print(json.dumps(result))
    else:
        _show(trials, fitting[-1].batch_size, fastest, most)
    return trials


def _show(trials: Sequence[BatchTrial], largest: int, fastest: int, most: int) -> None:
    rows = [
        [str(one.batch_size), f"{one.images_per_second:.1f}", f"{one.memory_bytes / 2**20:,.0f} MiB"]
        if one.fits
        else [str(one.batch_size), "does not fit", ""]
        for one in trials
    ]
    print(format_table(["batch", "images/s", "memory"], rows))
    why = "the largest that fits" if not trials[-1].fits else f"the largest tried: all fit, up to {most}"
    print(f"\nbatch size  {largest}   ({why})")
    print(f"fastest     {fastest}")


def _prepare(data: str, recipe: Recipe, wanted: int) -> tuple[CachedImages, Any, Hardware]:
    """At least `wanted` training images (or all there are), chosen by the seed, and the network with its first weights.

    One device: a batch is one device's.
    """
    hardware = Hardware(**{**hardware_of(recipe), "devices": 1, "num_nodes": 1, "strategy": "auto"})
    overlay, multi_label = find_overlay(recipe.data.overlay), recipe.data.multi_label
    table = checked_training_images(data, overlay, recipe.data.group_by, several_labels=True, multi_label=multi_label)
    chosen = table.take(sorted(permutation(recipe.training.seed, 0, len(table))[:wanted]))
    images = decode_all(recipe, chosen, strict=False, shared=False)
    say_left_out(chosen.left_out, chosen.root)
    report_unreadable(images.unreadable, len(chosen))
    model = prepare_model(recipe, table.class_names)
    if recipe.training.progressive_resizing:
        whole_maps(model, recipe)
    return images, model, hardware
