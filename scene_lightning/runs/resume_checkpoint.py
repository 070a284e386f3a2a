"""Reads a checkpoint to go on from, and checks that it fits the network and the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import Override, Recipe, recipe_of
from scene_lightning.reports.metrics_file import read_metrics
from scene_lightning.reports.run_folder import LAST, METRICS, RECIPE
from scene_lightning.saving.checkpoint import read_checkpoint, read_model_section


@dataclass(frozen=True)
class Resume:
    """A checkpoint to go on from.

    Attributes:
        path: the file.
        epochs_done: whole epochs behind it.
        section: what this package keeps in it.
        shapes: the weights' shapes by name.
    """

    path: Path
    epochs_done: int
    section: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def read(cls, path: str) -> Resume:
        """Raises FileFormatError for a file that is no checkpoint, InputError for one without a training state."""
        if Path(path).is_dir():
            path = str(Path(path) / LAST)
        data = read_checkpoint(path)
        section = read_model_section(data, path)
        if not data.get("optimizer_states") or not data.get("loops"):
            raise InputError(f"{path!r} has weights but no training to go on with. Use the {LAST} of a run.")
        shapes = {name: tuple(getattr(value, "shape", ())) for name, value in data["state_dict"].items()}
        return cls(Path(path), int(data["epoch"]) + 1, section, shapes)

    def recipe(self, overrides: Sequence[Override]) -> Recipe:
        """The recipe that the checkpoint was trained with, with overrides."""
        if not self.section["recipe"]:
            raise InputError(f"{str(self.path)!r} holds no recipe: name the one it was trained with (--config).")
        return recipe_of(self.section["recipe"], overrides, str(self.path))

    def check(self, model: Any, recipe: Recipe, class_names: Sequence[str]) -> None:
        """Raise InputError when classes, network or optimizer differ, or when nothing is left to train."""
        known = (self.section["image_info"] or {}).get("class_names")
        if known and list(known) != list(class_names):
            raise InputError(
                f"--resume {str(self.path)!r} was trained on the classes {', '.join(known)}; the data have "
                f"{', '.join(class_names)}. Resume with the same data, or start anew without --resume."
            )
        own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        if own != self.shapes:
            wrong = [name for name in (*own, *self.shapes) if own.get(name) != self.shapes.get(name)]
            raise InputError(
                f"--resume {str(self.path)!r} holds a different network: {len(set(wrong))} weights differ, such as "
                f"{wrong[0]!r} ({self.shapes.get(wrong[0], 'absent')} there, {own.get(wrong[0], 'absent')} here). "
                "Leave --config and --set away to take the network from the checkpoint, or start anew."
            )
        trained = ((self.section["compile_config"] or {}).get("optimizer") or {}).get("class_name", "")
        if trained and str(trained).lower() != recipe.training.optimizer:
            raise InputError(
                f"--resume {str(self.path)!r} was trained with {trained}, the recipe says {recipe.training.optimizer}. "
                "Resume with the same optimizer, or start anew."
            )
        if self.epochs_done >= recipe.training.epochs:
            raise InputError(
                f"--resume {str(self.path)!r} has finished {self.epochs_done} of {recipe.training.epochs} epochs: "
                f"nothing is left. Ask for more: --epochs {self.epochs_done + 1} or above."
            )

    @property
    def own_folder(self) -> Path | None:
        """The run that goes on in its own folder: that of a last.ckpt. Any other checkpoint starts a new one."""
        folder = self.path.resolve().parent
        return folder if self.path.name == LAST and (folder / RECIPE).is_file() else None

    def earlier_metrics(self) -> list[dict[str, Any]]:
        """The metrics of the epochs behind the checkpoint, where its run kept them."""
        file = self.path.resolve().parent / METRICS
        rows = read_metrics(file) if file.is_file() else []
        return [row for row in rows if row["epoch"] <= self.epochs_done]
