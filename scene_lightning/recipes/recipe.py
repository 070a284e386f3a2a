"""Reads recipes, applies overrides, and reports every problem of one in one error."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scene_lightning._registry import did_you_mean
from scene_lightning.errors import RecipeError
from scene_lightning.recipes import yaml_reader
from scene_lightning.recipes.config_files import configs_folder, names_in, read_config
from scene_lightning.recipes.model_schema import ModelRecipe
from scene_lightning.recipes.schema import (
    NO_AUGMENTATION,
    AugmentationRecipe,
    DataRecipe,
    EarlyStoppingRecipe,
    Recipe,
    TrainingRecipe,
)

__all__ = [
    "AugmentationRecipe", "DataRecipe", "EarlyStoppingRecipe", "ModelRecipe", "Override", "Recipe",
    "TrainingRecipe", "dump_recipe", "find_key", "load_recipe", "recipe_names", "recipe_of", "section_keys",
    "value_problem", "with_values",
]  # fmt: skip

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text (put it in quotes)",
    "dict_type": "a mapping (key: value lines)",
    "model_type": "a mapping (key: value lines)",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "too_short": "at least {min_length} of them",
    "string_too_short": "some text",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "letters, digits, '_', '-' and '.' only, as it names files",
}
# mappings whose keys depend on the optimiser, the loss or the data: checked with the recipe, or with the data
_OPEN = ("optimizer_arguments", "loss_arguments", "class_weight")
_SHOWN = 50  # problems of one recipe
_ELSEWHERE = {"channels": "The number of channels follows from data.color_mode."}


# Keys of `training` by the names that they had before.
_RENAMED = {
    "ema": "ema_momentum",
    "progressive": "progressive_resizing",
    "recalculate_batchnorm": "recalibrate_batchnorm",
    "teacher_share": "distillation_weight",
}
_noted: set[str] = set()  # so that each is noted once
Override = str | tuple[str, Any]


def load_recipe(name_or_path: str | Path, overrides: Sequence[Override] = ()) -> Recipe:
    """Read a recipe and apply overrides.

    Args:
        name_or_path: a name of `recipe_names()`, or a YAML file, which lists only what differs from the paper's
            settings.
        overrides: `(key, value)`, or `"key=value"` with a value in YAML. A key is dotted (`training.epochs`), or alone
            where only one section has it (`epochs`).

    Returns:
        The checked recipe.

    Raises:
        RecipeError: no such recipe, no YAML, or unknown keys, wrong types and impossible values, all of them together.
    """
    source, text = read_config(name_or_path, configs_folder(), "recipe")
    document = yaml_reader.parse(text, str(source))
    if not isinstance(document.data, Mapping):
        raise RecipeError(
            f"{source} is not a recipe: expected 'key: value' lines; received {type(document.data).__name__}."
        )
    data = _plain(document.data)
    data.setdefault("name", re.sub(r"[^\w.-]+", "-", Path(source.name).stem).lstrip(".-") or "recipe")
    return _resolved(data, overrides, document, str(source))


def recipe_of(data: Mapping[str, Any], overrides: Sequence[Override], source: str) -> Recipe:
    """Make a recipe of plain data, such as a checkpoint keeps, and apply overrides.

    Args:
        data: as `Recipe.model_dump(mode="json")` gives it.
        overrides: as for `load_recipe`.
        source: what an error says the data are from.

    Raises:
        RecipeError: as for `load_recipe`.
    """
    return _resolved(_plain(data), overrides, yaml_reader.Document(data), source)


def _resolved(
    data: dict[str, Any], overrides: Sequence[Override], document: yaml_reader.Document, source: str
) -> Recipe:
    problems = list(document.problems)
    given = _apply_overrides(data, overrides, problems)
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            path = error["loc"]
            problems.append(given.get(path[: _longest(given, path)], document.where(path)) + _say(path, error))
        recipe = None
    if problems or recipe is None:
        if len(problems) == 1 and given and Path(source).parent == configs_folder() and not document.problems:
            raise RecipeError(problems[0])  # the package's own recipe is in order: it is what the caller has set
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        shown = [*problems[:_SHOWN], *([f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else [])]
        raise RecipeError(f"{source} has {count}:\n" + "\n".join(f"  {problem}" for problem in shown))
    return recipe


def recipe_names() -> list[str]:
    """List the names of the recipes that come with the package, sorted."""
    return names_in(configs_folder())


def dump_recipe(recipe: Recipe) -> str:
    """Write a recipe as YAML text with every key resolved; `load_recipe` reads it back to an equal recipe.

    Args:
        recipe: the recipe.
    """
    return yaml_reader.dump(recipe.model_dump(mode="json"))


def find_key(key: str) -> str:
    """Find the whole dotted key that `key` means: `epochs` → `training.epochs`. RecipeError names the nearest one.

    Args:
        key: whole, or its last part alone where that is in one section only.
    """
    return ".".join(_locate(key))


def section_keys(key: str) -> list[str]:
    """List the dotted keys below `key`; none where it holds a value.

    Args:
        key: a whole dotted key.
    """
    path = tuple(key.split("."))
    return [".".join(known) for known in _keys() if known[: len(path)] == path and len(known) > len(path)]


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Replace some values of a recipe; defaults that depend on others are set anew.

    Args:
        recipe: stays as it is.
        values: whole dotted key → value.

    Raises:
        RecipeError: values that are wrong, or do not go together, in one line.
    """
    try:
        return _replaced(recipe, values)
    except ValidationError as invalid:
        problems = dict.fromkeys(_say(error["loc"], error) for error in invalid.errors(include_url=False))
        raise RecipeError(" ".join(problems)) from None


def value_problem(recipe: Recipe, key: str, value: Any) -> str:
    """Say what is wrong with `value` itself; empty where it is valid beside some other values.

    Args:
        recipe: what the value would go into.
        key: a whole dotted key.
        value: the value to check.
    """
    path = tuple(key.split("."))
    try:
        _replaced(recipe, {key: value})
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            where = tuple(map(str, error["loc"]))
            if len(where) > 1 and where[: len(path)] == path[: len(where)]:
                return _say(error["loc"], error)
    return ""


def _replaced(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    data = recipe.model_dump(exclude_unset=True)
    for key, value in values.items():
        _put(data, tuple(key.split(".")), value)
    return Recipe.model_validate(data)


def _plain(data: Mapping[Any, Any], model: type[BaseModel] = Recipe) -> dict[str, Any]:
    """A copy with text keys and with the short forms of its sections written out."""
    plain = {}
    for key, value in data.items():
        name = _today(str(key)) if model is TrainingRecipe else str(key)
        section = _section(model, name)
        plain[name] = value if section is None else _written_out(value, section)
    return plain


def _today(key: str) -> str:
    """The name that a key of `training` has now; an earlier one is noted once on stderr."""
    name = _RENAMED.get(key, key)
    if name != key and key not in _noted:
        _noted.add(key)
        print(f"note: the recipe key {key!r} is called {name!r} now; the old name still works", file=sys.stderr)
    return name


def _written_out(value: Any, section: type[BaseModel]) -> Any:
    """A section with nothing under it is one of defaults; `off` switches augmentation or early stopping off."""
    if isinstance(value, Mapping):
        return _plain(value, section)
    if section is EarlyStoppingRecipe:
        return None if value == "off" else value
    if section is AugmentationRecipe and value == "off":
        return dict(NO_AUGMENTATION)
    return {} if value is None else value


def _section(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The section that `key` of `model` holds, if it holds one."""
    field = model.model_fields.get(key)
    if field is None:
        return None
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _section_at(path: tuple[str, ...]) -> type[BaseModel] | None:
    """The section that the key at `path` holds, if it holds one."""
    model: type[BaseModel] | None = Recipe
    for key in path:
        model = _section(model, key) if model is not None else None
    return model


def _keys(model: type[BaseModel] = Recipe, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all keys, sections before what they hold."""
    for key in model.model_fields:
        yield (*path, key)
        section = _section(model, key)
        if section is not None:
            yield from _keys(section, (*path, key))


def _apply_overrides(
    data: dict[str, Any], overrides: Sequence[Override], problems: list[str]
) -> dict[yaml_reader.KeyPath, str]:
    """Write the overrides into `data`; the paths that they set, each with the words that point to it, come back."""
    given: dict[yaml_reader.KeyPath, str] = {}
    for override in overrides:
        shown = override if isinstance(override, str) else "{}={}".format(*override)
        try:
            key, value = _parsed(override) if isinstance(override, str) else override
            path = _locate(key)
        except RecipeError as error:
            problems.append(f"--set {shown}: {error}")
            continue
        section = _section_at(path)
        _put(data, path, value if section is None else _written_out(value, section))
        given[path] = f"--set {shown}: "
    return given


def _parsed(override: str) -> tuple[str, Any]:
    """`training.epochs=5` → ("training.epochs", 5)."""
    key, equals, text = override.partition("=")
    if not equals:
        raise RecipeError("expected key=value, e.g. training.epochs=5.")
    return key.strip(), yaml_reader.parse_value(text, f"the value of {key.strip()}")


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Write `value` at `path`, making the sections on the way."""
    for part in path[:-1]:
        inner = data.get(part)
        data[part] = inner if isinstance(inner, dict) else {}
        data = data[part]
    data[path[-1]] = value


def _locate(key: str) -> tuple[str, ...]:
    """`training.epochs` or `epochs` → ("training", "epochs")."""
    paths = list(_keys())
    path = tuple(key.split("."))
    if path[:-1] in ((), ("training",)):
        path = (*path[:-1], _today(path[-1]))
    if path in paths:
        return path
    if path[:-1] and path[-2] in _OPEN:
        return (*_locate(".".join(path[:-1])), path[-1])
    ends = [known for known in paths if known[-len(path) :] == path]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise RecipeError(f"{key!r} is in several sections. Expected one of: {', '.join(map('.'.join, ends))}.")
    dotted = [".".join(known) for known in paths]
    hint = did_you_mean(key, dotted) or did_you_mean(key, [known[-1] for known in paths])
    raise RecipeError(f"unknown key {key!r}.{hint}{_hint_elsewhere(path[-1])}")


def _hint_elsewhere(key: str) -> str:
    return f" {_ELSEWHERE[key]}" if key in _ELSEWHERE else ""


def _longest(given: Mapping[yaml_reader.KeyPath, str], path: yaml_reader.KeyPath) -> int:
    """How many parts of `path` the override that set it names, or all parts when none did."""
    return next((n for n in range(len(path), 0, -1) if path[:n] in given), len(path))


def _say(path: yaml_reader.KeyPath, error: ErrorDetails) -> str:
    """One of pydantic's errors in this project's words: key, what was expected, what came."""
    dotted = ".".join(str(part) for part in path)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{dotted}: unknown key.{_suggest_key(path)}"
    if kind == "value_error":
        return f"{dotted}: {context['error']}."
    expected = _EXPECTED.get(kind, error["msg"]).format(**context)
    hint = ""
    if kind == "literal_error" and isinstance(error["input"], str):
        hint = did_you_mean(error["input"], re.findall(r"'([^']+)'", context["expected"]))
    return f"{dotted}: expected {expected}; received {_short(error['input'])}.{hint}"


def _suggest_key(path: yaml_reader.KeyPath) -> str:
    """The nearest key of the same section, or the section that has a key of this very name."""
    key = str(path[-1])
    elsewhere = [".".join(known) for known in _keys() if known[-1] == key]
    siblings = [known[-1] for known in _keys() if known[:-1] == path[:-1]]
    if elsewhere:
        return f" Did you mean {' or '.join(map(repr, elsewhere))}?"
    nearby = did_you_mean(key, siblings)
    return nearby or did_you_mean(key, [".".join(known) for known in _keys()]) + _hint_elsewhere(key)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
