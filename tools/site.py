"""Builds the documentation site in build/site: the pages of docs/, and references made from the code.

    make site

The home page is README.md; `commands.md` is made from the command line itself, `recipe-values.md` from the recipes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import typer

from scene_lightning.cli.main import app
from scene_lightning.recipes.recipe import Recipe, load_recipe

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "site"
CONFIG = ROOT / "docs" / "zensical.toml"
PROJECT_PAGES = ("SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")  # pages that lie beside README.md
RECIPES = ("paper", "best", "transfer", "scenes-large", "demo")
_LINK = re.compile(r"\[((?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\(([^)#\s]+)((?:#[^)\s]*)?)\)")
_KNOWN_FILES = (".md", ".png", ".jpg", ".svg", ".webp", ".css")


def main() -> None:
    """Build the site in build/site/html."""
    shutil.rmtree(TARGET, ignore_errors=True)
    build(TARGET)
    print(f"the site is in {(TARGET / 'html').relative_to(ROOT)}: open index.html there")


def build(folder: Path) -> None:
    """Write the pages and build the site of them; a link that leads nowhere fails it.

    Args:
        folder: gets the folders `pages`, in Markdown, and `html`.
    """
    write_pages(folder / "pages")
    shutil.copy(CONFIG, folder / "zensical.toml")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    subprocess.run(command, cwd=folder, check=True)


def write_pages(folder: Path) -> None:
    """Write all pages in Markdown, with links that hold among them, and their pictures.

    Args:
        folder: to write; it must not exist.
    """
    shutil.copytree(ROOT / "docs", folder, ignore=_others)
    sources = {"index.md": ROOT / "README.md", **{name: ROOT / name for name in PROJECT_PAGES}}
    sources |= {page.name: page for page in (ROOT / "docs").glob("*.md")}
    weights = ROOT / "scene_lightning" / "weights"
    sources |= {f"{card.stem}.md": card for card in weights.glob("*.md")}
    places = {source.resolve(): name for name, source in sources.items()}
    for name, source in sources.items():
        text = source.read_text(encoding="utf-8")
        relinked = _LINK.sub(partial(_relinked, source=source, places=places), text)
        (folder / name).write_text(relinked, encoding="utf-8")
    (folder / "commands.md").write_text(command_reference(), encoding="utf-8")
    (folder / "recipe-values.md").write_text(recipe_reference(), encoding="utf-8")


def _others(folder: str, names: list[str]) -> list[str]:
    """What is no part of the site."""
    return [name for name in names if not name.endswith(_KNOWN_FILES) and not Path(folder, name).is_dir()]


def _relinked(match: re.Match[str], source: Path, places: dict[Path, str]) -> str:
    """A link of a page as it must be in the site: to the page by its name there; to no other file of the checkout."""
    text, target, anchor = match.groups()
    if "://" in target or target.startswith("mailto:"):
        return match.group()
    path = (source.parent / target).resolve()
    if not path.exists():
        raise SystemExit(f"error: {source.relative_to(ROOT)} links to {target}, which is not there.")
    if path in places:
        return f"[{text}]({places[path]}{anchor})"
    within = path.is_relative_to(ROOT / "docs") and path.suffix in _KNOWN_FILES
    return f"[{text}]({path.relative_to(ROOT / 'docs').as_posix()})" if within else text


def command_reference() -> str:
    """Every command with its arguments and options, in Markdown, from what the command line says of itself."""
    group: Any = typer.main.get_command(app)
    parts = [
        "# Every command",
        "Made from the program's own help; [the overview](command-line.md) says how they go together.",
    ]
    for name, command in sorted(group.commands.items()):
        context = typer.Context(command, info_name=f"scene-lightning {name}")
        usage = command.get_usage(context).removeprefix("Usage: ")
        parts += [f"## {name}", f"```\n{usage}\n```", _paragraphs(command.help or "")]
        for title, kind in (("argument", "argument"), ("option", "option")):
            rows = [_row(parameter) for parameter in command.params if parameter.param_type_name == kind]
            if rows:
                parts.append("\n".join([f"| {title} | what it is |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.replace("\b", "").split("\n\n"))


def _row(parameter: Any) -> str:
    value = parameter.metavar or parameter.name
    names = " ".join([*parameter.opts, *parameter.secondary_opts])
    flag = parameter.param_type_name == "option" and parameter.is_flag
    shown = value if parameter.param_type_name == "argument" else names if flag else f"{names} {value}"
    return f"| <code>{_cell(shown)}</code> | {_cell(' '.join((parameter.help or '').split()))} |"


def _cell(text: str) -> str:
    return text.replace("|", "&#124;").replace("<", "&lt;").replace("*", "&#42;")


def recipe_reference() -> str:
    """The value of every key in each of the package's recipes, in Markdown; a dash where it is the default."""
    default = Recipe(name="default")
    recipes = {name: load_recipe(name) for name in RECIPES}
    parts = [
        "# Recipes, side by side",
        "Each key's default, and where a recipe of the package says something else. What the keys mean: "
        "[recipes](recipes.md).",
    ]
    for section in ("model", "data", "training"):
        rows = []
        for key, value in _values(getattr(default, section)):
            others = [dict(_values(getattr(recipe, section)))[key] for recipe in recipes.values()]
            cells = ["–" if other == value else f"`{_shown(other)}`" for other in others]
            rows.append(f"| `{key}` | `{_shown(value)}` | " + " | ".join(cells) + " |")
        header = f"| key | default | {' | '.join(RECIPES)} |"
        parts += [f"## {section}", "\n".join([header, "|---" * (len(RECIPES) + 2) + "|", *rows])]
    return "\n\n".join(parts) + "\n"


def _values(section: Any) -> Iterator[tuple[str, Any]]:
    yield from section.model_dump(mode="json").items()


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def pages_of_navigation() -> list[str]:
    """The pages that the site's navigation names."""

    def leaves(entries: Any) -> Iterator[str]:
        for entry in entries if isinstance(entries, list) else [entries]:
            for value in entry.values():
                yield from [value] if isinstance(value, str) else leaves(value)

    return list(leaves(tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]["nav"]))


if __name__ == "__main__":
    main()
