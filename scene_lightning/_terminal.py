"""Says what a terminal can show (width, colours, lines that are written over), and fits text into its width."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import Any, TextIO

NARROWEST = 20  # columns; narrower terminals are treated as this wide
_open_line: TextIO | None = None


def is_terminal(stream: Any) -> bool:
    """Whether what is written to a stream appears on a terminal.

    Args:
        stream: such as `sys.stdout`.
    """
    return hasattr(stream, "isatty") and not getattr(stream, "closed", False) and bool(stream.isatty())


def width_of(stream: Any) -> int | None:
    """The columns of the terminal that a stream writes to, as it is now; None for a file, a pipe or a notebook.

    Args:
        stream: such as `sys.stdout`.
    """
    if not is_terminal(stream):
        return None
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        columns = 0
    return max(columns or shutil.get_terminal_size().columns, NARROWEST)


def is_dumb() -> bool:
    """Whether the terminal knows no control characters: `TERM=dumb`."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def shows_colours() -> bool:
    """Whether colours are wanted: not with `NO_COLOR` (https://no-color.org), nor on a dumb terminal."""
    return not os.environ.get("NO_COLOR") and not is_dumb()


def leave_line_open(stream: TextIO | None) -> None:
    """Note that a line without an end has been written to a stream; None: that it has been ended.

    Args:
        stream: where it was written.
    """
    global _open_line
    _open_line = stream


def end_open_line() -> None:
    """End the line that a progress bar has left open, so that a message gets a line of its own."""
    global _open_line
    stream, _open_line = _open_line, None
    if stream is not None and is_terminal(stream):
        stream.write("\n")
        stream.flush()


def wrapped(text: str) -> str:
    """A sentence, broken between words on a terminal that is narrower; words such as paths stay whole.

    Args:
        text: what is said.
    """
    width = width_of(sys.stdout)
    if width is None or len(text) <= width:
        return text
    return "\n".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False))


def labelled(label: str, text: str) -> str:
    """A line of a heading and a text, as `data      photos`; on a terminal it is broken between words.

    Args:
        label: a word, at most nine letters long.
        text: what is said; words longer than a line, such as paths, stay whole.
    """
    width = width_of(sys.stdout)
    if width is None or len(text) + 10 <= width:
        return f"{label:<10}{text}"
    lines = textwrap.wrap(text, width - 10, break_long_words=False, break_on_hyphens=False)
    return f"{label:<10}" + f"\n{'':10}".join(lines)
