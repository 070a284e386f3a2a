"""Names the files that a recipe mentions by what they are and by hash, as model files and cards for others have it."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scene_lightning.errors import InputError, SceneLightningError
from scene_lightning.models import load_model
from scene_lightning.models.shipped import shipped_file
from scene_lightning.reports.run_folder import find_model

_MODELS = (("training", "teacher"), ("model", "initial_weights"))
_OTHERS = (("model", "pretrained"), ("data", "overlay"))
_DIGITS = 12  # of the 64 of a SHA-256
_NAMED = re.compile(r"(?P<name>.+) \((?:(?P<kind>\w+), )?SHA-256 (?P<digest>[0-9a-f]{12})\)")


def name_files(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a recipe's data with names in place of paths: `scenes-large (efficientnet_lite2, SHA-256 720c25bca5e6)`.

    A model that comes with the package has its name, another that of the recipe in its file; other files have theirs.
    Of a file that is not there its name alone is left.

    Args:
        recipe: as `Recipe.model_dump(mode="json")` gives it.
    """
    return _changed(recipe, {**dict.fromkeys(_MODELS, _name_model), **dict.fromkeys(_OTHERS, _name_other)})


def take_paths(recipe: Mapping[str, Any], local: Mapping[str, Any] | None) -> dict[str, Any]:
    """Copy a recipe's data as a model's file keeps it, with what its files are called on this machine.

    Args:
        recipe: as `name_files` gives it.
        local: the same recipe with its paths, where a run's folder holds it; otherwise the models of the package are
            known by their names, and other names stay.
    """
    if local is None:
        return _changed(recipe, dict.fromkeys(_MODELS, _shipped_name))
    data = copy.deepcopy(dict(recipe))
    for part, key in (*_MODELS, *_OTHERS):
        if isinstance(data.get(part), dict) and key in data[part]:
            data[part][key] = (local.get(part) or {}).get(key)
    return data


def find_named(name: str, *folders: Path) -> Path | None:
    """Find the file that `name_files` has named, by its name and hash; None where no folder has it.

    Args:
        name: a path, or what `name_files` made of one.
        *folders: where to look; the current folder is always one.
    """
    match = _NAMED.fullmatch(name)
    for place in (Path(name), *(folder / match["name"] for folder in (Path(), *folders) if match)):
        if place.is_file() and (match is None or _digest(place) == match["digest"]):
            return place
    return None


def _changed(recipe: Mapping[str, Any], ways: Mapping[tuple[str, str], Callable[[str], Any]]) -> dict[str, Any]:
    data = copy.deepcopy(dict(recipe))
    for (part, key), way in ways.items():
        section = data.get(part)
        if not isinstance(section, dict):
            continue
        value = section.get(key)
        if isinstance(value, str):
            section[key] = way(value)
        elif isinstance(value, list | tuple):
            section[key] = [way(one) if isinstance(one, str) else one for one in value]
    return data


def _name_model(text: str) -> str:
    if _NAMED.fullmatch(text):
        return text
    try:
        file = find_model(text)
    except InputError:
        return _last_part(text)
    try:
        recipe = load_model(str(file), compile=False)._recipe or {}
    except SceneLightningError:  # no model: whoever asks it says so
        recipe = {}
    name = text if shipped_file(text) is not None else recipe.get("name") or _last_part(text)
    kind = (recipe.get("model") or {}).get("architecture")
    return f"{name} ({f'{kind}, ' if kind else ''}SHA-256 {_digest(file)})"


def _name_other(text: str) -> str:
    if _NAMED.fullmatch(text):
        return text
    file = Path(text)
    return f"{_last_part(text)} (SHA-256 {_digest(file)})" if file.is_file() else _last_part(text)


def _shipped_name(text: str) -> str:
    match = _NAMED.fullmatch(text)
    file = shipped_file(match["name"]) if match else None
    return match["name"] if match and file is not None and _digest(file) == match["digest"] else text


def _last_part(text: str) -> str:
    return re.split(r"[\\/]", text.rstrip("\\/"))[-1] or text


def _digest(file: Path) -> str:
    whole = hashlib.sha256()
    for one in sorted(file.rglob("*")) if file.is_dir() else [file]:
        if one.is_file():
            whole.update(one.read_bytes())
    return whole.hexdigest()[:_DIGITS]
