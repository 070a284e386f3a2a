"""`python -m scene_lightning script.py`: a Keras program on this engine; other words: the command line."""

import sys

from scene_lightning.cli import main
from scene_lightning.compat.command import names_a_program

if __name__ == "__main__":
    if names_a_program(sys.argv[1:]):
        from scene_lightning.compat.runner import run  # torch is imported for a program, not for --help

        sys.exit(run(sys.argv[1:]))
    main()
