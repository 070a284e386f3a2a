"""Fills a template and makes one HTML file of it that needs nothing else: no other file, no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from scene_lightning._atomic_write import write_text


def printable(text: str) -> str:
    """The text with everything escaped that a terminal or a UTF-8 file cannot take.

    Args:
        text: may hold control characters, and bytes of a file name that are not UTF-8.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def as_json(data: Any) -> str:
    """Data for a `<script type="application/json">` of a page.

    Args:
        data: what `json.dumps` takes.
    """
    # "<" would let a class called "</script>" end the script; a lone surrogate of a file's name fits no UTF-8
    return json.dumps(data).replace("<", "\\u003c")


def fill(template: str, parts: Mapping[str, str]) -> str:
    """Put texts in the place of `{{name}}`; what is put in is not looked through again.

    `{{style}}` stands for the style that all pages share (style.css), `{{head}}` for how all files of a page begin
    (head.html: what it may load, its title).

    Args:
        template: of the page.
        parts: name → HTML, one for each name of the template.
    """
    shared = {"style": read_template("scene_lightning.pages", "style.css")}
    if "{{head}}" in template:
        shared["head"] = read_template("scene_lightning.pages", "head.html").replace("{{title}}", parts["title"])
    everything = {**shared, **parts}
    first, *others = template.split("{{")
    return first + "".join(everything[name] + rest for name, rest in (other.split("}}", 1) for other in others))


def read_template(package: str, name: str) -> str:
    """Read a text file that comes with the package.

    Args:
        package: the folder that holds it, as a dotted name.
        name: of the file.
    """
    return (files(package) / name).read_text(encoding="utf-8")


def write_page(path: str | Path, template: str, parts: Mapping[str, str]) -> None:
    """Write a filled template, whole or not at all.

    Args:
        path: of the page.
        template, parts: as for `fill`.
    """
    write_text(Path(path), fill(template, parts))
