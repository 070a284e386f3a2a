"""Runs `python -m scene_lightning ...` as a fork of one process that has imported torch and Lightning already.

A program of its own needs five seconds of processor time for these imports, and nothing else that the process holds is
shared: scene_lightning itself is imported anew by each fork.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRELOADED = (
    "torch", "torchvision.transforms.v2", "torchmetrics", "lightning.pytorch", "matplotlib.pyplot", "pandas", "h5py",
    "pydantic", "safetensors", "typer", "PIL.Image",
)  # fmt: skip
MODULE = [sys.executable, "-m", "scene_lightning"]


def run_program(
    *words: object, cwd: Path, env: dict[str, str] | None = None, timeout: int = 280, fork: bool = True
) -> subprocess.CompletedProcess[str]:
    """The finished `python -m scene_lightning *words`: status, standard output and standard error."""
    command = [*MODULE, *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **(env or {})}
    if not fork or sys.platform != "linux":  # elsewhere a fork of what has started threads is not safe
        return subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=timeout)
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        request = {"arguments": command[3:], "cwd": str(cwd), "env": environment, "outputs": list(map(str, outputs))}
        status = server().run({**request, "timeout": timeout})
        return subprocess.CompletedProcess(command, status, *(path.read_text() for path in outputs))


@functools.cache
def server() -> Server:
    return Server()


class Server:
    """The process that forks; it ends with this one."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__], text=True, bufsize=1, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        atexit.register(self.process.communicate)  # closes its input

    def run(self, request: dict[str, object]) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            return int(self.process.stdout.readline())
        except BaseException:  # a test that ran out of time, say: its answer is not for the next one
            server.cache_clear()
            self.process.kill()
            raise


def serve() -> None:
    """Read requests, fork for each, and answer with its status. In a fork: return, with the words in sys.argv."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    for request in map(json.loads, sys.stdin):
        child = os.fork()
        if child == 0:
            become(**request)
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(arguments: list[str], cwd: str, env: dict[str, str], outputs: list[str], timeout: int) -> None:
    """Take the streams, the folder and the environment of a program that was started there."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(outputs, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    signal.alarm(timeout)
    sys.path[0] = cwd
    sys.argv = ["scene_lightning", *arguments]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]


if __name__ == "__main__":
    serve()
    if sys.argv[1:]:
        runpy.run_module("scene_lightning", run_name="__main__", alter_sys=True)
