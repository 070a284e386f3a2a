"""Prints messages once, from the main process, on standard output or in the log."""

from __future__ import annotations

import logging
import sys

from scene_lightning._main_process import is_main_process
from scene_lightning._terminal import leave_line_open

_log = logging.getLogger("scene_lightning")
_interactive = True


def enable_interactive_logging() -> None:
    """Write progress and messages to standard output (the default). Keras: `utils.enable_interactive_logging`."""
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """Write progress and messages to the logger `scene_lightning`. Keras: `utils.disable_interactive_logging`."""
    global _interactive
    _interactive = False


def is_interactive_logging_enabled() -> bool:
    """Whether messages go to standard output."""
    return _interactive


def print_message(message: str, line_break: bool = True) -> None:
    """Write a message once, from the main process. What the terminal cannot show becomes `=` or `?`.

    Args:
        message: the text.
        line_break: whether to end the line; the log does always.
    """
    if not is_main_process():
        return
    if not _interactive:
        _log.info(message)
        return
    text = message + "\n" if line_break else message
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.replace("━", "=").replace("─", "-").encode(encoding, errors="replace").decode(encoding))
    sys.stdout.flush()
    leave_line_open(None if text.endswith("\n") else sys.stdout)
