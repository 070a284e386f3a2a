"""Reads a checkpoint to go on from, and checks that it fits the network and the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scene_lightning._terminal import labelled
from scene_lightning.errors import FileFormatError, InputError
from scene_lightning.recipes.recipe import Override, Recipe, load_recipe, recipe_of
from scene_lightning.reports.metrics_file import read_metrics
from scene_lightning.reports.named_files import take_paths
from scene_lightning.reports.run_folder import EVALUATION, LAST, METRICS, PREVIOUS, RECIPE
from scene_lightning.saving.checkpoint import read_checkpoint, read_model_section

_OF_RUNS = (LAST, PREVIOUS)


@dataclass(frozen=True)
class Resume:
    """A state to go on from.

    Attributes:
        path: the checkpoint; None for a run that was ended before it saved one, which begins again in its folder.
        folder: the run's folder that is taken up, or None where the checkpoint starts a run of its own.
        epochs_done: whole epochs behind it.
        steps_done: steps behind it.
        section: what this package keeps in it.
        shapes: the weights' shapes by name.
    """

    path: Path | None
    folder: Path | None
    epochs_done: int
    steps_done: int
    section: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def read(cls, path: str) -> Resume:
        """Read a checkpoint, or the newest of a run's folder that is whole.

        Args:
            path: a checkpoint, or the folder of a run.

        Raises:
            FileFormatError: a file that is no checkpoint, or a damaged one.
            InputError: one without a training state, or a folder that is no run.
        """
        place = Path(path)
        if not place.is_dir():
            return cls._of_file(place)
        errors = []
        for file in (place / name for name in _OF_RUNS if (place / name).is_file()):
            try:
                found = cls._of_file(file)
            except FileFormatError as error:
                errors.append(error)
                continue
            if errors:
                print(labelled("note", f"{errors[0]} Going on from {file.name}."), flush=True)
            return found
        if errors:
            raise errors[0]
        if not (place / RECIPE).is_file():
            raise InputError(f"--resume {path!r} holds no run: no {LAST} and no {RECIPE}. Name the folder of a run.")
        return cls(None, place, 0, 0, {}, {})

    @classmethod
    def _of_file(cls, path: Path) -> Resume:
        data = read_checkpoint(str(path))
        section = read_model_section(data, str(path))
        if not data.get("optimizer_states") or not data.get("loops"):
            raise InputError(f"{str(path)!r} has weights but no training to go on with. Use the {LAST} of a run.")
        shapes = {name: tuple(getattr(value, "shape", ())) for name, value in data["state_dict"].items()}
        folder = path.resolve().parent
        own = folder if path.name in _OF_RUNS and (folder / RECIPE).is_file() else None
        epochs = data["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
        return cls(path, own, int(epochs), int(data.get("global_step", 0)), section, shapes)

    def recipe(self, overrides: Sequence[Override]) -> Recipe:
        """The recipe that was trained with, with overrides.

        Args:
            overrides: what the command line says.
        """
        if self.path is None:
            assert self.folder is not None
            return load_recipe(str(self.folder / RECIPE), overrides)
        if not self.section["recipe"]:
            raise InputError(f"{str(self.path)!r} holds no recipe: name the one it was trained with (--config).")
        beside = self.path.parent / RECIPE  # it has the paths of files, which the checkpoint does not
        local = load_recipe(str(beside)).model_dump(mode="json") if beside.is_file() else None
        kept = take_paths(self.section["recipe"], local)
        recipe = recipe_of(kept, overrides, str(self.path))
        before = recipe_of(kept, (), str(self.path)).training
        if recipe.training.schedule != "constant" and recipe.training.epochs != before.epochs:
            message = (
                f"the {recipe.training.schedule} schedule spans {recipe.training.epochs} epochs now, not "
                f"{before.epochs}: the learning rate jumps, and the run differs from one of that length."
            )
            print(labelled("note", message), flush=True)
        return recipe

    def check(self, model: Any, recipe: Recipe, class_names: Sequence[str]) -> None:
        """Raise InputError when classes, network or optimizer differ, or when nothing is left to train.

        Args:
            model: the network that is about to go on.
            recipe: how.
            class_names: the classes of the data.
        """
        if self.path is None:
            return
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
        if self.is_done(recipe) and not self.awaits_evaluation:
            if self.epochs_done < recipe.training.epochs:
                raise InputError(
                    f"--resume {str(self.path)!r} has ended when its time, {recipe.training.budget}, was up. Give it "
                    "more, counted from its beginning: --budget TIME."
                )
            raise InputError(
                f"--resume {str(self.path)!r} has finished {self.epochs_done} of {recipe.training.epochs} epochs: "
                f"nothing is left. Ask for more: --epochs {self.epochs_done + 1} or above."
            )

    def is_done(self, recipe: Recipe) -> bool:
        """Whether nothing is left to train.

        Args:
            recipe: of the run.
        """
        training = recipe.training
        ended = training.max_steps is not None and self.steps_done >= training.max_steps
        return ended or self.epochs_done >= training.epochs

    @property
    def awaits_evaluation(self) -> bool:
        """Whether its run was ended between the last epoch and the evaluation."""
        return self.folder is not None and not (self.folder / EVALUATION).is_file()

    def earlier_metrics(self) -> list[dict[str, Any]]:
        """The metrics of the epochs behind the checkpoint, where its run kept them."""
        file = self.path.resolve().parent / METRICS if self.path is not None else None
        rows = read_metrics(file) if file is not None and file.is_file() else []
        return [row for row in rows if row["epoch"] <= self.epochs_done]
