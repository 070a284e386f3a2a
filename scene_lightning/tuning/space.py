"""Reads a search space and checks it against the recipe that it varies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from scene_lightning.errors import RecipeError
from scene_lightning.recipes import yaml_reader
from scene_lightning.recipes.config_files import configs_folder, names_in, read_config
from scene_lightning.recipes.recipe import Recipe, find_key, section_keys, value_problem
from scene_lightning.tuning.dimensions import Dimension, Suggests, read_dimension

# Keys that trials must have in common, or that say nothing about accuracy; and what to do instead.
_FIXED = {
    "name": "it only names files",
    "data.cache": "it changes no result",
    "data.val_split": "trials are compared on the same images. Set it once: --set val_split=0.2",
    "training.seed": "trials are compared with the same seed. Set it once: --seed",
    "training.metrics": "trials are compared by their accuracy",
    **dict.fromkeys(
        ("training.accelerator", "training.devices", "training.num_nodes", "training.strategy"),
        "a trial runs on one device. Set it once: --accelerator",
    ),
}


@dataclass(frozen=True)
class Space:
    """What a search varies.

    Attributes:
        dimensions: whole recipe key (`training.batch_size`) → what it may be.
    """

    dimensions: dict[str, Dimension]

    def draw(self, trial: Suggests) -> dict[str, Any]:
        """A value for each key."""
        return {key: dimension.draw(trial, key) for key, dimension in self.dimensions.items()}

    def parameters_of(self, recipe: Recipe) -> dict[str, Any]:
        """The parameters that draw the recipe's own values, as far as these lie within the bounds."""
        parameters: dict[str, Any] = {}
        for key, dimension in self.dimensions.items():
            parameters.update(dimension.parameters(key, _value_at(recipe, key)))
        return parameters

    def without(self, keys: Collection[str]) -> Space:
        """The space without some whole keys or sections. Raises RecipeError when nothing is left to search."""
        left = {
            key: dimension
            for key, dimension in self.dimensions.items()
            if not any(key == fixed or key.startswith(f"{fixed}.") for fixed in keys)
        }
        if not left:
            raise RecipeError(
                f"Nothing is left to search: {', '.join(self.dimensions)} set by hand. Set fewer of them."
            )
        return Space(left)

    def dump(self) -> str:
        """YAML that `load_space` reads back to the same dimensions."""
        lines = (f"{key}: {_flow(dimension.entry())}" for key, dimension in self.dimensions.items())
        return "\n".join(lines) + "\n"


def load_space(name_or_path: str, recipe: Recipe) -> Space:
    """Load a space of `space_names()`, or a YAML file with a line for each key.

    Args:
        name_or_path: its name or file.
        recipe: what the space varies; keys and bounds are checked against it.

    Raises:
        RecipeError: no such space, no YAML, or unknown keys, types and impossible bounds, all of them together.
    """
    source, text = read_config(name_or_path, _spaces(), "search space")
    document = yaml_reader.parse(text, str(source))
    if not isinstance(document.data, Mapping) or not document.data:
        came = "nothing" if not document.data else type(document.data).__name__
        raise RecipeError(
            f"{source} is not a search space: expected lines such as 'training.batch_size: "
            f"{{type: int, low: 8, high: 64, step: 8}}'; received {came}."
        )
    problems, dimensions = list(document.problems), {}
    for name, entry in document.data.items():
        try:
            key = _searchable_key(str(name))
            if key in dimensions:
                raise RecipeError(f"{key} is there already. Keep one of them.")
            dimensions[key] = _checked(read_dimension(entry), key, recipe)
        except RecipeError as error:
            problems.append(f"{document.where((str(name),))}{name}: {error}")
    if problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise RecipeError(f"{source} has {count}:\n" + "\n".join(f"  {problem}" for problem in problems))
    return Space(dimensions)


def space_names() -> list[str]:
    """The names of the search spaces that come with the package, sorted."""
    return names_in(_spaces())


def _spaces() -> Traversable:
    return configs_folder() / "spaces"


def _searchable_key(name: str) -> str:
    key = find_key(name)
    if key in _FIXED:
        raise RecipeError(f"cannot be searched: {_FIXED[key]}.")
    below = section_keys(key)
    if below:
        raise RecipeError(f"is a section. Expected one of its keys: {', '.join(below)}.")
    return key


def _checked(dimension: Dimension, key: str, recipe: Recipe) -> Dimension:
    for value in dimension.samples():
        problem = value_problem(recipe, key, value)
        if problem:
            raise RecipeError(f"could become {value!r}. {problem}")
    return dimension


def _value_at(recipe: Recipe, key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
    return value


def _flow(entry: Mapping[str, Any]) -> str:
    """One line of YAML: `{type: int, low: 8, high: 64}`."""
    parts = [f"{name}: {yaml_reader.dump([value]).strip()[1:-1]}" for name, value in entry.items()]
    return "{" + ", ".join(parts) + "}"
