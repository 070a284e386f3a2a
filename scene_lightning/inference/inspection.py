"""Says what there is to know of a data folder, this machine, a model or a run, as text or JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scene_lightning._terminal import labelled
from scene_lightning.data.label_file import label_file
from scene_lightning.data.label_folders import find_label_tables
from scene_lightning.data.scan import SPLIT_FOLDERS, class_folders, holds_images, require_folder, scan_folder
from scene_lightning.data.shards import is_sharded, read_shards
from scene_lightning.data.statistics import image_statistics
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import InputError
from scene_lightning.models import load_model
from scene_lightning.models.summary_rows import count_weights, output_shapes
from scene_lightning.recipes.network import build_model
from scene_lightning.recipes.recipe import Override, load_recipe
from scene_lightning.reports import plots, run_folder
from scene_lightning.reports.messages import say_left_out
from scene_lightning.reports.tables import format_statistics, format_table
from scene_lightning.training import devices


def _image_stats(data: str) -> dict[str, Any]:
    """Per class, how many images there are and how large.

    Returns:
        `folder`, `images`, `unreadable` (files) and `classes` (name → count, height and width in pixels, each with
        mean, max, min). A folder with a training and a validation half has `splits` (name → the same) instead of
        `classes`.

    Raises:
        DataError: no such folder, or no class folders in it.
    """
    require_folder(data)
    if label_file(data) is not None:
        tables = find_label_tables(data)
        names = ("train", "val") if len(tables) == 2 else (data,)
        parts = {name: _of_table(table, name) for name, table in zip(names, tables, strict=True)}
    elif is_sharded(data):
        parts = {os.path.basename(table.root): _of_table(table, table.root) for table in read_shards(data)}
    else:
        return _of_folders(data)
    if len(parts) == 1:
        return next(iter(parts.values()))
    return {"folder": data, "images": sum(part["images"] for part in parts.values()), "splits": parts}


def _of_folders(data: str) -> dict[str, Any]:
    halves = [name for name in class_folders(data) if name.lower() in SPLIT_FOLDERS]
    if not halves or holds_images(os.path.join(data, halves[0])):
        return _one_folder(data)
    splits = {name: _one_folder(os.path.join(data, name)) for name in halves}
    return {"folder": data, "images": sum(split["images"] for split in splits.values()), "splits": splits}


def _one_folder(folder: str) -> dict[str, Any]:
    table = scan_folder(folder)
    say_left_out(table.left_out, folder)
    return _of_table(table, folder)


def _of_table(table: ImageTable, folder: str) -> dict[str, Any]:
    statistics = image_statistics(table)
    classes = {
        name: {
            "count": sizes.images,
            "height": {"mean": sizes.height_mean, "max": sizes.height_max, "min": sizes.height_min},
            "width": {"mean": sizes.width_mean, "max": sizes.width_max, "min": sizes.width_min},
        }
        for name, sizes in statistics.classes.items()
    }
    unreadable = statistics.unreadable
    return {"folder": folder, "images": statistics.images, "unreadable": unreadable, "classes": classes}


def stats(data: str, *, as_json: bool = False) -> None:
    """Print, per class or label, how many images there are and how large.

    Args:
        data: a folder of class folders, of training and validation halves, or with a labels.csv.
        as_json: whether to print one JSON object.
    """
    statistics = _image_stats(data)
    if as_json:
        print(json.dumps(statistics, indent=2))
        return
    for part in statistics.get("splits", {data: statistics}).values():
        print(f"{part['folder']}: {part['images']} images, {len(part['classes'])} classes; sizes in pixels")
        print(format_statistics(part["classes"]))
        for path in part["unreadable"]:
            print(f"unreadable: {path}")
        print()


def show_devices(*, as_json: bool = False) -> None:
    """Print what this machine can compute on, and which would be used.

    Args:
        as_json: whether to print one JSON object.
    """
    inventory = devices.take_inventory()
    rows = devices.describe(inventory)
    accelerator = devices.choose_accelerator("auto", inventory)
    precision = devices.choose_precision("auto", accelerator, inventory)
    if as_json:
        print(json.dumps({"devices": rows, "accelerator": accelerator, "precision": precision}, indent=2))
        return
    cells = [
        [
            row["device"],
            row["name"],
            f"{row['memory_bytes'] / 2**30:.1f} GiB" if row["memory_bytes"] else "–",
            row["capability"] or "–",
            "fast" if row["bf16"] else "–",
            "yes" if row["used"] else "no",
        ]
        for row in rows
    ]
    print(format_table(["device", "name", "memory", "capability", "bf16", "used"], cells))
    print(f"\n--accelerator auto takes {accelerator}, --precision auto takes {precision}.")


def summary(
    model: str | None,
    config: str | None,
    *,
    classes: int = 6,
    overrides: Sequence[Override] = (),
    as_json: bool = False,
) -> None:
    """Print the table of layers of a model file, or of a recipe's network.

    Args:
        model: a model file or a run folder; None for a recipe.
        config: a recipe's name or file; None with `model`, and for the paper's.
        classes: how many the recipe's network tells apart.
        overrides: `key=value`, of the recipe.
        as_json: whether to print one JSON object.
    """
    if model is not None and (config is not None or overrides):
        raise InputError("summary takes a MODEL or a --config with its --set, not both.")
    if model is None:
        shown = build_model(load_recipe(config or "paper", overrides), classes)
    else:
        shown = load_model(str(run_folder.find_model(model)))
    names = (shown.image_info or {}).get("class_names")
    if as_json:
        print(json.dumps({**_layers(shown), "classes": names}))
        return
    shown.summary()
    if names:
        print(labelled("classes", ", ".join(names)))


def _layers(model: Any) -> dict[str, Any]:
    layers = [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": output_shapes(layer),
            "parameters": layer.count_params() if layer.built else None,
        }
        for layer in model.layers
    ]
    counts = count_weights(model)
    return {
        "model": model.name,
        "layers": layers,
        "parameters": counts.trainable[0] + counts.non_trainable[0],
        "trainable": counts.trainable[0],
    }


def curves(run: str, out: str | None = None) -> Path:
    """Draw a run's curves; the picture's path comes back.

    Args:
        run: the run's folder or name.
        out: the picture's file; None for curves.png in the run's folder.
    """
    folder = run_folder.find_run(run)
    return plots.plot_curves(folder / run_folder.METRICS, out or folder / run_folder.CURVES)
