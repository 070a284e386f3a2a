"""Says at once, with the cure, that MODEL or DATA is something else (swapped, a recipe, a photograph); completes names.

No torch here.
"""

from __future__ import annotations

import os
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

import typer

from scene_lightning.errors import InputError

_CHECKPOINTS = ("best.ckpt", "last.ckpt", "previous.ckpt")
_MODEL_FOLDERS = ("saved_model.pb", "config.json", "metadata.json", "model.weights.h5", "variables")
_MODEL_ENDINGS = (".ckpt", ".keras", ".h5", ".safetensors", ".onnx", ".pt2")
_IMAGE_ENDINGS = (
    ".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".gif", ".webp", ".heic", ".heif", ".avif",
)  # fmt: skip
_words: list[str] = []


def remember(words: list[str]) -> None:
    """Keep the words of the command line, for the cure that an error names.

    Args:
        words: those after the program's name.
    """
    _words[:] = words


def check_model(context: typer.Context, value: Any) -> Any:
    """Refuse a MODEL that is evidently none: images, or the name of a recipe.

    Args:
        context: of the command.
        value: what was given.

    Raises:
        InputError: with the whole command that was meant, where that can be told.
    """
    if not isinstance(value, str) or context.resilient_parsing or value in shipped_models():
        return value
    command = context.info_name
    if _is_images(value):
        what = "a folder of images" if Path(value).is_dir() else "an image"
        raise InputError(f"{value!r} is {what}, not a model. {_cure_for_images(str(context.info_name), value)}")
    if not Path(value).exists() and value in recipes():
        cure = f"scene-lightning summary --config {value}"
        if command != "summary":
            cure = f"train it first (scene-lightning train DATA --config {value}), then name the run's folder"
        raise InputError(f"{value!r} is a recipe, not a model: {cure}")
    return value


def _cure_for_images(command: str, value: str) -> str:
    if command == "summary":
        return "Expected a model file, a run folder, or a name: scene-lightning summary scenes"
    other = next((word for word in _words[_place(value) + 1 :] if _is_model(word)), None)
    if other is not None:
        swapped = [{value: other, other: value}.get(word, word) for word in _words]
        return f"MODEL comes first: {shlex.join(['scene-lightning', *swapped])}"
    model = f"a model file, a run folder, {' or '.join(shipped_models())}"
    return f"MODEL comes first ({model}): scene-lightning {command} MODEL {shlex.quote(value)}"


def check_data(context: typer.Context, value: Any) -> Any:
    """Refuse a DATA that is evidently none: one photograph, the folder of a run, a model.

    Args:
        context: of the command.
        value: what was given.

    Raises:
        InputError: with the command that was meant.
    """
    if not isinstance(value, str) or context.resilient_parsing:
        return value
    path, quoted = Path(value), shlex.quote(value)
    if path.is_file() and path.suffix.lower() in _IMAGE_ENDINGS:
        cure = f"To classify it: scene-lightning predict scenes {quoted}"
        raise InputError(f"{value!r} is one image. DATA is a folder that has a folder of images for each class. {cure}")
    if _is_run(path) and not _has_class_folders(path):
        cure = (
            f"To go on with it: scene-lightning train --resume {quoted}; to repeat it: scene-lightning rerun {quoted}"
        )
        raise InputError(f"{value!r} is the folder of a run. DATA is a folder of images. {cure}")
    if not path.exists() and value in shipped_models():
        raise InputError(f"{value!r} is a model. DATA is a folder of images: scene-lightning evaluate {value} DATA")
    return value


def _place(value: str) -> int:
    return _words.index(value) if value in _words else 0


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in (*_CHECKPOINTS, "run.json"))


def _has_class_folders(path: Path) -> bool:
    return any(_holds_images(one) for one in path.iterdir() if one.is_dir())


def _is_model(text: str) -> bool:
    path = Path(text)
    return text in shipped_models() or _is_run(path) or (path.is_file() and path.suffix.lower() in _MODEL_ENDINGS)


def _is_images(text: str) -> bool:
    path = Path(text)
    if not path.is_dir():
        return path.is_file() and path.suffix.lower() in _IMAGE_ENDINGS
    if _is_run(path) or any((path / name).exists() for name in _MODEL_FOLDERS):
        return False
    return _holds_images(path) or any(_holds_images(one) or _has_class_folders(one) for one in _folders(path))


def _folders(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if one.is_dir()]


def _holds_images(path: Path) -> bool:
    return any(one.suffix.lower() in _IMAGE_ENDINGS for one in path.iterdir())


def shipped_models() -> list[str]:
    """The models that come with the package, by name."""
    folder = Path(str(files("scene_lightning"))) / "weights"
    return sorted(path.stem for path in folder.glob("*.safetensors"))


def recipes() -> list[str]:
    """The recipes that come with the package, by name."""
    from scene_lightning.recipes.recipe import recipe_names

    return recipe_names()


# -- completion -------------------------------------------------------------------------------------------------------


def complete_recipe(incomplete: str) -> list[str]:
    """Recipes, and YAML files here.

    Args:
        incomplete: what has been typed.
    """
    from scene_lightning.recipes.config_files import configs_folder, names_in

    return [*_starting(names_in(configs_folder()), incomplete), *_paths(incomplete, (".yaml", ".yml"))]


def complete_model(incomplete: str) -> list[str]:
    """Models of the package, runs, and model files.

    Args:
        incomplete: what has been typed.
    """
    return [*_starting(shipped_models(), incomplete), *complete_run(incomplete), *_paths(incomplete, _MODEL_ENDINGS)]


def complete_run(incomplete: str) -> list[str]:
    """Folders of runs, here and in runs/.

    Args:
        incomplete: what has been typed.
    """
    there = [path for parent in (Path(), Path("runs")) if parent.is_dir() for path in sorted(_folders(parent))]
    return _starting([str(path) for path in there if _is_run(path)], incomplete)


def _starting(names: list[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _paths(incomplete: str, endings: tuple[str, ...]) -> list[str]:
    parent = Path(os.path.dirname(incomplete))
    if not parent.is_dir():
        return []
    names = [str(path) for path in sorted(parent.iterdir()) if path.suffix.lower() in endings]
    return _starting(names, incomplete)
