"""Prepares a process for one command: SIGTERM ends it promptly, odd file names can be printed, PIL does not warn."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import warnings
from typing import NoReturn

from scene_lightning.cli import lean_imports

TERMINATED = 128 + signal.SIGTERM  # the exit status
_SECONDS_TO_CLEAN_UP = 5.0


class Terminated(BaseException):
    """SIGTERM came; what is half written is cleaned up on the way out."""


def prepare() -> None:
    """Prepare this process, before anything else."""
    # Of large images and damaged metadata, each with a line of PIL's source; what cannot be read is named anyway.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files that are no UTF-8
    signal.signal(signal.SIGTERM, _end)
    lean_imports.allow()


def _end(number: int, frame: object) -> NoReturn:
    """End the command. Neither a thread that waits for ever for a file keeps it, nor is a second SIGTERM withheld."""
    signal.signal(number, signal.SIG_DFL)
    last_resort = threading.Timer(_SECONDS_TO_CLEAN_UP, os._exit, [TERMINATED])
    last_resort.daemon = True
    last_resort.start()
    raise Terminated
