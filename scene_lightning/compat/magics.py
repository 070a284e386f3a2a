"""Turns a script that was exported from a notebook, with magics and shell commands, into plain Python.

Notebooks saved as `.py` keep lines that only IPython understands (`%matplotlib inline`, `!pip list`) or call
`get_ipython()`. `ipython script.py` runs them; so does the runner, with IPython's own shell.
"""

from __future__ import annotations

import ast
import re
from types import ModuleType
from typing import Any

from scene_lightning._usage_report import ledger
from scene_lightning.errors import InputError

try:
    from IPython.core.inputtransformer2 import TransformerManager
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config
except ImportError:
    InteractiveShell = None  # type: ignore[assignment,misc]

# What they set up is a notebook's screen or a server beside it: a script has neither.
_ON_SCREEN = ("matplotlib", "tensorboard", "load_ext", "reload_ext", "autoreload", "config", "tensorflow_version")


def needs_shell(source: str) -> bool:
    """Tell whether the text calls `get_ipython`, or is Python but for lines that begin with `%` or `!`.

    Args:
        source: a script's text.
    """
    if "get_ipython" in source:
        return True
    if not re.search(r"(?m)^\s*[%!]", source):
        return False
    try:
        ast.parse(source)
    except SyntaxError:
        return True
    return False


def runnable(source: bytes, main: ModuleType) -> str | bytes:
    """Give what `compile` takes for a program: its bytes, whose encoding Python reads, or IPython's lines as Python.

    Args:
        source: the script's bytes.
        main: the module that it will run in.
    """
    text = source.decode(errors="replace")
    return _plain_python(text, main) if needs_shell(text) else source


def _plain_python(source: str, main: ModuleType) -> str:
    """The text as Python, line for line; `get_ipython()` and `display` are then names of the script.

    Raises:
        InputError: IPython is not installed.
    """
    if InteractiveShell is None:
        raise InputError(
            "This script has lines that only IPython understands. Install it: pip install 'scene-lightning[notebook]'."
        )
    quiet = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(user_module=main, user_ns=main.__dict__, config=quiet)
    shell.magics_manager.magics["line"].update({name: _ignored(name) for name in _ON_SCREEN})
    shell.builtin_trap.activate()  # get_ipython, display
    text = source.lstrip("\r\n")  # IPython drops blank lines at the start, and every line number would be off
    return "\n" * source[: len(source) - len(text)].count("\n") + TransformerManager().transform_cell(text)


def _ignored(name: str) -> Any:
    return lambda line: ledger.ignore(f"%{name} {line}".strip(), "it is for a notebook's screen")
