"""Repeats a run from what it recorded, and says whether the numbers are the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.reports.metrics_file import read_metrics
from scene_lightning.reports.run_folder import METRICS, OVERLAY, RECIPE, from_here
from scene_lightning.runs.run_record import RunRecord
from scene_lightning.runs.train import FinishedRun, train


def rerun(run: str, data: str | None = None, out: str | None = None) -> FinishedRun:
    """Train again with the recipe, the images, the seed and the number of threads of a run.

    Args:
        run: its folder.
        data: where its images are now; None for where they were.
        out: the folder of the new run; None makes one under runs/.

    Raises:
        InputError: the folder holds no run, or does not say on which images it trained.
    """
    folder = Path(run)
    if not (folder / RECIPE).is_file():
        raise InputError(f"No {RECIPE} in {run!r}. Expected the folder of a run.")
    record = RunRecord.read(folder)
    if record is None and data is None:
        raise InputError(f"{run!r} does not say on which images it trained. Name them: --data DIR")
    threads = torch.get_num_threads()
    try:
        if record is not None:
            torch.set_num_threads(record.threads)
        place = data if data is not None or record is None else str(from_here(Path(record.data)))
        strict = record.strict if record is not None else False
        kept = [("data.overlay", str(folder / OVERLAY))] if (folder / OVERLAY).is_file() else []
        repeated = load_recipe(str(folder / RECIPE), [*kept, ("training.budget", None)])  # it says where it was up
        finished = train(place, recipe=repeated, out=out, strict=strict)
    finally:
        torch.set_num_threads(threads)
    return finished


def compared_with(run: str, again: FinishedRun) -> str | None:
    """In words, whether two runs' metrics are equal: from the first epoch on in which they are not.

    Args:
        run: the folder of a run.
        again: what `rerun` made of it.

    Returns:
        None in all processes but the first.
    """
    if again.evaluation is None:
        return None
    before, after = Path(run), again.folder
    if not (before / METRICS).is_file():
        return f"{before} has no {METRICS}: nothing to compare with"
    rows = list(zip(read_metrics(before / METRICS), read_metrics(after / METRICS), strict=False))
    for one, other in rows:
        wrong = [name for name in _numbers(one) if _numbers(one)[name] != _numbers(other).get(name)]
        if wrong:
            name = wrong[0]
            return f"differs from {before} in epoch {one['epoch']}: {name} {one[name]:g} there, {other.get(name)} here"
    return f"the same numbers as {before} in all {len(rows)} epochs"


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "seconds"}
