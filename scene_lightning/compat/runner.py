"""Runs a script as Python does, with Keras and TensorFlow served by this package, and prints a report."""

from __future__ import annotations

import builtins
import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from scene_lightning.compat import spawn_main
from scene_lightning.compat.command import RunRequest, parse
from scene_lightning.compat.install import install
from scene_lightning.compat.magics import runnable
from scene_lightning.compat.notebook import run_notebook
from scene_lightning.compat.removed.not_installed import install_hint
from scene_lightning.compat.report import closing_report
from scene_lightning.errors import SceneLightningError
from scene_lightning.training.processes import relaunch_with

_TOLD_BY_THE_LINE = (SceneLightningError, KeyboardInterrupt)  # where in the engine it came about explains nothing
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_PACKAGE = str(Path(__file__).resolve().parents[1])


def run(words: list[str]) -> int:
    """Run a script or a notebook, as `python -m scene_lightning …` does; returns the exit status.

    Status: the script's own; 1 when it raised; 2 when it could not be started (one line says why); 130 interrupted.

    Args:
        words: those after `python -m scene_lightning`.
    """
    try:
        request = parse(words)
        if request.program.suffix.lower() == ".ipynb":
            return run_notebook(request)
        install(**request.install_options)  # type: ignore[arg-type]
        source = request.program.read_bytes()
    except (SceneLightningError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    relaunch_with([sys.executable, "-m", "scene_lightning", *words])
    return _run_script(request, source)


def _run_script(request: RunRequest, source: bytes) -> int:
    """Run the program as `__main__`; print its traceback if it raises, and the report in any case."""
    _without_display()
    # float(loss) within a tape is how such programs print
    warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad=True to a scalar")
    os.environ[spawn_main.PROGRAM_OPTIONS] = json.dumps(request.install_options)
    path = str(request.program)
    sys.argv = [path, *request.arguments]
    sys.path[0] = str(request.program.resolve().parent)
    try:
        main = _main_module(path)
        exec(compile(runnable(source, main), path, "exec", dont_inherit=True), main.__dict__)
        status = 0
    except SystemExit as stop:
        status = _status_of(stop)
    except KeyboardInterrupt as error:
        _show(error)
        status = 130
    except BaseException as error:
        _show(error)
        status = 1
    sys.stdout.flush()
    if os.environ.get("LOCAL_RANK", "0") == "0":  # the other processes of a run on several devices did the same
        print(closing_report(request.program.name, source.decode(errors="replace")), file=sys.stderr, end="")
    return status


def _main_module(path: str) -> ModuleType:
    """A fresh `__main__`, as Python itself fills it for a script, but for `__spec__`: see `compat.spawn_main`."""
    module = ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=builtins, __spec__=spawn_main.__spec__, __annotations__={})
    sys.modules["__main__"] = module
    return module


def _without_display() -> None:
    """`plt.show()` must not wait for, or fail without, a screen that is not there."""
    windows = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not windows:
        os.environ.setdefault("MPLBACKEND", "Agg")
        warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")


def _status_of(stop: SystemExit) -> int:
    if stop.code is None or isinstance(stop.code, int):
        return stop.code or 0
    print(stop.code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    """The traceback as Python shows it, without the runner's frames; for the engine's errors it ends in the script."""
    sys.stdout.flush()
    seen: set[int] = set()
    part: BaseException | None = error
    while part is not None and id(part) not in seen:  # the causes' tracebacks too
        seen.add(id(part))
        part.__traceback__ = _of_the_program(part.__traceback__, isinstance(part, _TOLD_BY_THE_LINE))
        part = part.__cause__ or part.__context__
    advice = install_hint(error.name) if isinstance(error, ModuleNotFoundError) and error.name else None
    if advice is not None:
        error.add_note(advice)
    traceback.print_exception(error)


def _of_the_program(trace: TracebackType | None, ends_in_script: bool) -> TracebackType | None:
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    entries: list[TracebackType] = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    while ends_in_script and len(entries) > 1 and (_is_ours(entries[-1]) or _is_a_library(entries[-1])):
        entries.pop()
    kept: Any = None
    for entry in reversed(entries):
        kept = TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return kept


def _is_ours(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_code.co_filename
    return name.startswith(_PACKAGE) or name.startswith("<frozen")


def _is_a_library(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_code.co_filename
    return "site-packages" in name or name.startswith(_STANDARD_LIBRARY)
