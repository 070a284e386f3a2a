"""The words after `python -m scene_lightning` in; whether they name a program to run, and how, out.

Nothing heavy is imported here: a missing script is told at once.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from scene_lightning.errors import InputError

PROGRAMS = (".py", ".ipynb")
_WITH_VALUE = ("--accelerator", "--devices", "--precision", "--limit-epochs", "--limit-batches", "--output")


@dataclass
class RunRequest:
    """A program and how to run it.

    Attributes:
        program: a script (.py) or a notebook (.ipynb).
        arguments: what the script finds in sys.argv[1:].
        output: where an executed notebook goes; by default `<name>.executed.ipynb` in the current folder.
    """

    program: Path
    arguments: list[str] = field(default_factory=list)
    accelerator: str = "auto"
    devices: str = "auto"
    precision: str | None = None
    limit_epochs: int | None = None
    limit_batches: int | None = None
    output: Path | None = None

    @property
    def install_options(self) -> dict[str, object]:
        """The arguments of `scene_lightning.install`."""
        names = ("accelerator", "devices", "precision", "limit_epochs", "limit_batches")
        return {**{name: getattr(self, name) for name in names}, "program": str(self.program.resolve())}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. Usage: python -m scene_lightning [options] script.py [arguments]")


def names_a_program(words: list[str]) -> bool:
    """Whether the first word that is neither an option of the runner nor its value is a .py or .ipynb file."""
    position = 0
    while position < len(words):
        word = words[position]
        if word in _WITH_VALUE:
            position += 2
        elif word.startswith(tuple(f"{option}=" for option in _WITH_VALUE)):
            position += 1
        else:
            return word.lower().endswith(PROGRAMS)
    return False


def parse(words: list[str]) -> RunRequest:
    """`[options] script.py [arguments]` or `[options] notebook.ipynb [options]`.

    Raises:
        InputError: a missing file, an unknown option, or a value that is none.
    """
    parser = _Parser(prog="python -m scene_lightning", add_help=False, allow_abbrev=False)
    parser.add_argument("--accelerator", default="auto")
    parser.add_argument("--devices", default="auto")
    parser.add_argument("--precision")
    parser.add_argument("--limit-epochs", type=int)
    parser.add_argument("--limit-batches", type=int)
    parser.add_argument("--output", type=Path)
    position = next(i for i, word in enumerate(words) if word.lower().endswith(PROGRAMS) and not word.startswith("-")
                    and (i == 0 or words[i - 1] not in _WITH_VALUE))  # fmt: skip
    program, rest = Path(words[position]), words[position + 1 :]
    notebook = program.suffix.lower() == ".ipynb"
    options = parser.parse_args(words[:position] + (rest if notebook else []))
    if not program.is_file():
        raise InputError(f"There is no file {str(program)!r}.")
    if options.output is not None and not notebook:
        raise InputError("--output is for notebooks: a script writes its own files.")
    return RunRequest(program, [] if notebook else rest, **vars(options))
