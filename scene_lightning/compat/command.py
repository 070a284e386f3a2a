"""Reads the command line of `python -m scene_lightning script.py`: which program to run, and how.

Nothing heavy is imported here: a missing script is reported at once.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from scene_lightning._registry import did_you_mean
from scene_lightning.errors import InputError

PROGRAMS = (".py", ".ipynb")
PRECISIONS = "auto, 32-true, bf16-mixed, 16-mixed or 64-true"  # as every help page lists them
_OPTIONS: dict[str, dict[str, Any]] = {
    "--accelerator": {"help": "auto, cpu, cuda or mps: what fit, evaluate and predict run on", "default": "auto"},
    "--devices": {"help": "how many, or which (0,1); on the CPU: processes", "default": "auto", "metavar": "N"},
    "--precision": {"help": PRECISIONS},
    "--limit-epochs": {"help": "a trial run: cut every fit to so many epochs", "type": int, "metavar": "N"},
    "--limit-batches": {"help": "a trial run: cut every epoch to so many batches", "type": int, "metavar": "N"},
    "--output": {
        "help": "where an executed notebook goes; <name>.executed.ipynb beside it by default",
        "type": Path,
        "metavar": "FILE",
    },
}
_USAGE = "python -m scene_lightning [OPTIONS] script.py|notebook.ipynb [ARGS]..."


@dataclass
class RunRequest:
    """A program and how to run it.

    Attributes:
        program: a script (.py) or a notebook (.ipynb).
        arguments: what the script finds in sys.argv[1:].
        accelerator: "auto", "cpu", "cuda" or "mps".
        devices: how many, or which ("0,1"); "auto" for Lightning's choice.
        precision: Lightning's name of it; None for that of the dtype policy.
        limit_epochs: the most that each `fit` runs; None for no limit.
        limit_batches: the most in each epoch; None for no limit.
        output: where an executed notebook goes; by default `<name>.executed.ipynb` beside its source.
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
        options = {name: getattr(self, name) for name in names}
        return {**options, "program": str(self.program.resolve()), "removed_names": True}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. Usage: {_USAGE}")


def _parser() -> _Parser:
    parser = _Parser(usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    options = parser.add_argument_group(f"Run a Keras script or notebook unchanged:\n  {_USAGE}\n\nIts options")
    for option, settings in _OPTIONS.items():
        options.add_argument(option, **{"metavar": "NAME", **settings})
    return parser


def help_text() -> str:
    """What the help page of `python -m scene_lightning` says about running programs."""
    return _parser().format_help()


def names_a_program(words: list[str]) -> bool:
    """Whether the first word that is neither an option nor an option's value is a .py or .ipynb file.

    A word after an option that the runner does not have may be its value: `parse` then says what is wrong.

    Args:
        words: those after `python -m scene_lightning`.
    """
    return _position(words) is not None


def _position(words: list[str]) -> int | None:
    """Where the program stands, or None."""
    after_option = False
    for position, word in enumerate(words):
        is_a_value = after_option and words[position - 1] in _OPTIONS
        if word.startswith("-"):
            after_option = "=" not in word
        elif word.lower().endswith(PROGRAMS) and not is_a_value:
            return position
        elif not after_option:
            return None
        else:
            after_option = False
    return None


def parse(words: list[str]) -> RunRequest:
    """Read `[options] script.py [arguments]` or `[options] notebook.ipynb [options]`.

    Args:
        words: those after `python -m scene_lightning`.

    Raises:
        InputError: no program, a missing file, an unknown option, or a value that is none.
    """
    position = _position(words)
    if position is None:
        raise InputError(f"No script and no notebook is named. Usage: {_USAGE}")
    program, rest = Path(words[position]), words[position + 1 :]
    notebook = program.suffix.lower() == ".ipynb"
    options, unknown = _parser().parse_known_args(words[:position] + (rest if notebook else []))
    if unknown:
        name = unknown[0].partition("=")[0]
        raise InputError(
            f"The runner has no option {name!r}.{did_you_mean(name, _OPTIONS)} Its options are {', '.join(_OPTIONS)}; "
            "the script's own come after the script."
        )
    if not program.is_file():
        raise InputError(f"There is no file {str(program)!r}.")
    if options.output is not None and not notebook:
        raise InputError("--output is for notebooks: a script writes its own files.")
    return RunRequest(program, [] if notebook else rest, **vars(options))
