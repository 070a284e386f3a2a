"""Says on stderr which images were left out or could not be read. No torch here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scene_lightning._main_process import is_main_process
from scene_lightning.data.decode import Unreadable
from scene_lightning.data.image_files import AVIF_CURE, HEIF_CURE
from scene_lightning.data.walk import LeftOut
from scene_lightning.errors import DataError


def note(text: str) -> None:
    """Print a note; of several processes the first one speaks.

    Args:
        text: without a stop.
    """
    if is_main_process():
        print(f"note: {text}", file=sys.stderr)


def say_left_out(left_out: LeftOut, folder: str | None = None) -> None:
    """Say on stderr, in one line and once, what lies in the folders that were read and is no image.

    Args:
        left_out: takes note of what is left out; empty afterwards.
        folder: where that is.
    """
    message = left_out.in_words()
    if message is not None and is_main_process():
        note(message if folder is None else f"{folder}: {message}")
    left_out.counts.clear()


def report_unreadable(skipped: Sequence[Unreadable], total: int) -> None:
    """Name on stderr the files that were skipped, and count them.

    Args:
        skipped: the files that were left out.
        total: how many there were in all.

    Raises:
        DataError: not one image could be read.
    """
    count = len(skipped)
    if count == total:
        reasons = "" if not skipped else f" The first: {skipped[0].reason}"
        raise DataError(skipped[0].reason if count == 1 else f"None of the {total} images could be read.{reasons}")
    if not is_main_process():
        return
    for cure in (HEIF_CURE, AVIF_CURE):  # a phone's whole roll would fill the screen with one and the same line
        alike = [file for file in skipped if cure in file.reason]
        if len(alike) > 1:
            print(f"skipped: {alike[0].reason} The same of {len(alike) - 1:,} more files.", file=sys.stderr)
            skipped = [file for file in skipped if file not in alike]
    for file in skipped:
        print(f"skipped: {file.reason}", file=sys.stderr)
    if count:
        print(f"{count} of {total} images could not be read and were skipped.", file=sys.stderr)
