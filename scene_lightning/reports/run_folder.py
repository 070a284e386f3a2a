"""Makes and finds the folders of runs, and names the files in them; runs never overwrite one another."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from scene_lightning._registry import did_you_mean
from scene_lightning.errors import InputError
from scene_lightning.models.shipped import shipped_file, shipped_names
from scene_lightning.saving.sniff import INSIDE

RECIPE = "recipe.yaml"
BEST = "best.ckpt"
LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"  # the last.ckpt of before
RECORD = "run.json"
METRICS = "metrics.csv"
CURVES = "curves.png"
CONFUSION = "confusion_matrix.png"
EVALUATION = "evaluation.json"
PREDICTIONS = "predictions.csv"  # of the best checkpoint on each validation image
REPORT = "report.html"
TRAINING_BATCH = "training_batch.jpg"  # the first images that it was shown
TENSORBOARD = "tensorboard"
TRACKING = "tracking.json"  # which run of MLflow or Weights & Biases it is
FOLDS = "folds.json"
IMAGES = "images.csv"
OVERLAY = "labels.csv"

# Lightning starts one process a device by running the command again: all must take the folder that the first one made.
_CHOSEN = "SCENE_LIGHTNING_RUN_FOLDER"


def make_run_folder(name: str, out: str | os.PathLike[str] | None = None) -> Path:
    """Make the folder of a new run: `out`, or runs/<name>-<date>-<time>.

    Args:
        name: what the folder's name begins with, where `out` is None.
        out: the folder, new or empty; None for runs/<name>-<date>-<time>.

    Raises:
        InputError: `out` holds a run already, or is a file.
    """
    if _CHOSEN in os.environ:
        return from_here(Path(os.environ[_CHOSEN]))
    folder = _make_named(Path(out)) if out is not None else _make_dated(Path("runs"), name)
    os.environ[_CHOSEN] = str(folder.resolve())
    return folder


def begun_folder() -> Path | None:
    """The folder of the run that another process of it has begun; None in the first one."""
    return from_here(Path(os.environ[_CHOSEN])) if _CHOSEN in os.environ else None


def continue_run_folder(folder: Path) -> Path:
    """Take up the folder of an earlier run, whose training goes on.

    Args:
        folder: of the run.
    """
    os.environ.setdefault(_CHOSEN, str(folder.resolve()))
    return from_here(folder)


def forget_run_folder() -> None:
    """The run is over: the next one in this process makes its own folder."""
    os.environ.pop(_CHOSEN, None)


def from_here(folder: Path) -> Path:
    """Give the path as a person would type it.

    Args:
        folder: an absolute path.
    """
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _make_named(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {str(folder)!r} is a file. Expected a folder, new or empty.")
    if folder.is_dir() and any(folder.iterdir()):
        held = "a run" if (folder / RECIPE).exists() else "files"
        raise InputError(
            f"--out {str(folder)!r} already holds {held}. Name another folder, or leave --out away for a new one under "
            f"runs/; to go on with a run: --resume {folder}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _make_dated(parent: Path, name: str) -> Path:
    stamp = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    parent.mkdir(parents=True, exist_ok=True)
    attempt = 1
    while True:
        folder = parent / (stamp if attempt == 1 else f"{stamp}-{attempt}")
        try:
            folder.mkdir()  # fails where another run took the name in the same second
            return folder
        except FileExistsError:
            attempt += 1


def find_model(path: str | os.PathLike[str]) -> Path:
    """Find a model file: the path as it is, a run folder's best (or else last) checkpoint, or a model of this package.

    Args:
        path: a file, a folder, or a name such as "scenes".

    Raises:
        InputError: nothing there.
    """
    place = shipped_file(path) or Path(path)
    if place.is_dir() and not any((place / name).exists() for name in ("saved_model.pb", INSIDE)):
        for name in (BEST, LAST, PREVIOUS):
            if (place / name).is_file():
                return place / name
        raise InputError(f"No {BEST} and no {LAST} in {str(path)!r}. Expected a model file or the folder of a run.")
    if not place.exists():
        siblings = os.listdir(place.parent) if place.parent.is_dir() else []
        raise InputError(f"No model file {str(path)!r}.{did_you_mean(place.name, [*siblings, *shipped_names()])}")
    return place


def find_run(path: str | os.PathLike[str]) -> Path:
    """Check that a folder is that of a run which has metrics.

    Args:
        path: the folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        siblings = os.listdir(folder.parent) if folder.parent.is_dir() else []
        raise InputError(f"No run folder {str(path)!r}.{did_you_mean(folder.name, siblings)}")
    if not (folder / METRICS).is_file():
        raise InputError(f"No {METRICS} in {str(path)!r}. Expected the folder of a run, after its first epoch.")
    return folder
