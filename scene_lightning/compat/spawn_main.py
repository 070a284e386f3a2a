"""What a process that a program started with "spawn" imports as the program's `__main__`; the program's names out.

Python's `multiprocessing` imports the script again in such a process, so that what it defines can be unpickled. It
does so by a module's name where `__main__` has one: the runner gives this module's, and Keras is this engine there too.
"""

import json
import os
import sys
from pathlib import Path

from scene_lightning.compat.install import install
from scene_lightning.compat.magics import runnable

PROGRAM_OPTIONS = "SCENE_LIGHTNING_PROGRAM"  # JSON: the arguments of install() in the process that the runner started

if __name__ == "__mp_main__":
    options = json.loads(os.environ[PROGRAM_OPTIONS])
    install(**options)
    __file__ = options["program"]
    program = runnable(Path(__file__).read_bytes(), sys.modules[__name__])
    exec(compile(program, __file__, "exec", dont_inherit=True), globals())
