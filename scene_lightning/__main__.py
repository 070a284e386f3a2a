"""Runs a Keras program (`python -m scene_lightning script.py`), or a command of the command line."""

import sys

from scene_lightning.cli import main as cli
from scene_lightning.cli import process
from scene_lightning.compat.command import help_text, names_a_program

if __name__ == "__main__":
    if names_a_program(sys.argv[1:]):
        from scene_lightning.compat.runner import run  # torch is imported for a program, not for --help

        sys.exit(run(sys.argv[1:]))
    process.prepare()
    status = cli.run(sys.argv[1:])
    if sys.argv[1:] in (["--help"], ["-h"]):
        print(f"\n{help_text()}", end="")
    sys.exit(status)
