"""Prints how a command ended: where its files are, and the next commands, whole, to be copied. No torch here."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Sequence
from pathlib import Path

from scene_lightning.cli.output import is_quiet

REPORT = "report.html"
_PICTURES = ("curves.png", "confusion_matrix.png", "comparison.png")
_PREDICTIONS = "predictions.csv"


def in_words(command: Sequence[object]) -> str:
    """A command of this program as it is typed, with quotes where they are needed.

    Args:
        command: the words after `scene-lightning`.
    """
    return shlex.join(["scene-lightning", *map(str, command)])


def show_closing(label: str, folder: Path, commands: Sequence[Sequence[object]]) -> None:
    """Print where things are, and what one would type next; with --quiet only the folder.

    Args:
        label: what the folder is, in a word.
        folder: the folder.
        commands: each as the words after `scene-lightning`.
    """
    print(f"{label:<10}{folder}")
    if is_quiet():
        return
    if (folder / REPORT).is_file():
        print(f"report    {folder / REPORT}")
    elif (folder / _PREDICTIONS).is_file():
        commands = [*commands, ("report", folder)]
    pictures = [name for name in _PICTURES if (folder / name).is_file()]
    if pictures:
        print(f"pictures  {', '.join(pictures)}")
    show_next(commands)


def show_next(commands: Sequence[Sequence[object]]) -> None:
    """Print what one would type next, a command a line; nothing with --quiet.

    Args:
        commands: each as the words after `scene-lightning`.
    """
    if is_quiet():
        return
    print("next")
    for command in commands:
        print(f"  {in_words(command)}")


def a_photograph(run: Path) -> str:
    """One of a run's validation images, or `PHOTO.jpg` where none is there as a file.

    Args:
        run: the run's folder.
    """
    try:
        with open(run / _PREDICTIONS, encoding="utf-8", newline="") as file:
            path = next(csv.DictReader(file))["path"]
    except (OSError, StopIteration, KeyError, ValueError):
        return "PHOTO.jpg"
    return path if Path(path).is_file() else "PHOTO.jpg"
