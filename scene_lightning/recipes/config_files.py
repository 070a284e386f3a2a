"""Finds and reads the YAML files of `configs`: recipes and search spaces, by name or by path.

They lie in `configs/` of a checkout, and inside the package once it is installed.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from scene_lightning._registry import did_you_mean
from scene_lightning.errors import RecipeError
from scene_lightning.recipes.yaml_reader import MAX_LETTERS

_SUFFIXES = (".yaml", ".yml")


def configs_folder() -> Traversable:
    """The folder `configs`: inside the installed package, or at the root of a checkout."""
    installed = files("scene_lightning") / "configs"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "configs"


def names_in(folder: Traversable) -> list[str]:
    """List the names of the YAML files in a folder, sorted.

    Args:
        folder: holds YAML files.
    """
    return sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(_SUFFIXES))


def read_config(name_or_path: str | Path, folder: Traversable, what: str) -> tuple[Traversable, str]:
    """Read the YAML file that a name or a path stands for.

    Args:
        name_or_path: one of `names_in(folder)`, or a path.
        folder: holds YAML files.
        what: the word for it in an error, such as "recipe".

    Returns:
        (the file, its text).

    Raises:
        RecipeError: neither a name nor a file, or one that cannot be read or is no UTF-8.
    """
    text, known = str(name_or_path), names_in(folder)
    source: Traversable = Path(name_or_path)
    if isinstance(name_or_path, str) and text in known:
        source = next(item for item in folder.iterdir() if item.name in [text + suffix for suffix in _SUFFIXES])
    elif not source.is_file():
        raise RecipeError(
            f"No {what} {text!r}.{did_you_mean(Path(text).stem, known)} Expected one of: {', '.join(known)}; or the "
            "path of a YAML file."
        )
    if isinstance(source, Path) and source.stat().st_size > 4 * MAX_LETTERS:
        raise RecipeError(f"{source} is not a {what}: it has {source.stat().st_size} bytes.")
    try:
        return source, source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{error.reason}, byte {error.start}"
        raise RecipeError(f"{source} is not a {what}: expected UTF-8 text ({where}).") from error
    except OSError as error:
        raise RecipeError(f"Cannot read {source}: {error.strerror or error}.") from error
