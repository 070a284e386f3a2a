"""Runs the trials of a search, here or in several worker processes that open the same study."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import signal
import sys
import time
from multiprocessing.connection import wait
from typing import Any

import torch

from scene_lightning._processors import usable_processors
from scene_lightning.errors import SceneLightningError
from scene_lightning.tuning.storage import opened
from scene_lightning.tuning.study import Search, ignore_sigint
from scene_lightning.tuning.trial import TrialRunner

_REFUSED = 1  # the exit status of a worker that has printed what is wrong
_PATIENCE = 10  # seconds for a worker that was told to end


def run_trials(search: Search, runner: TrialRunner, jobs: int, timeout: float | None) -> bool:
    """Run trials until there are enough.

    Args:
        search: what to try.
        runner: trains a trial.
        jobs: trials at a time; above 1, each in a process of its own.
        timeout: seconds after which no trial begins; those that run are finished.

    Returns:
        False when `timeout` ended it first.

    Raises:
        KeyboardInterrupt: Ctrl-C; the trials that ran are put back into the search.
    """
    deadline = math.inf if timeout is None else time.time() + timeout
    if jobs == 1:
        search.run(runner, lambda: time.time() >= deadline, announce=True)
    else:
        _WorkerPool(search, runner, jobs, deadline).run()
    return len(search.counted()) >= search.trials


class _WorkerPool:
    """Worker processes that run a search's trials, and are replaced when they are killed.

    Args:
        search: its study is opened by each worker, too.
        runner: trains a trial; each worker has a copy.
        jobs: how many workers.
        deadline: as `time.time()` counts; no trial begins after it.
    """

    def __init__(self, search: Search, runner: TrialRunner, jobs: int, deadline: float) -> None:
        self.search, self.work = search, (search.for_worker(), runner, jobs, deadline)
        with contextlib.suppress(SceneLightningError, OSError):
            runner.targets(search.recipe)  # asked here, once: the workers find them in the folder
        self.workers = {place: self._start(place) for place in range(jobs)}

    def _start(self, place: int) -> Any:
        context = multiprocessing.get_context("spawn")  # a fork of a process that has run torch may hang
        process = context.Process(target=work, args=(place, *self.work), daemon=True)
        with ignore_sigint():  # inherited: Ctrl-C reaches all of them, and this one sees to the others
            process.start()
        return process

    def run(self) -> None:
        """Announce trials as they end, until all workers are done.

        Raises:
            SceneLightningError: a worker could not do its work.
        """
        killed = 0
        try:
            while self.workers:
                wait([process.sentinel for process in self.workers.values()], timeout=1)
                self.search.announce()
                for place, process in list(self.workers.items()):
                    if process.exitcode is None:
                        continue
                    del self.workers[place]
                    if process.exitcode == _REFUSED or killed > 2 * self.search.trials:
                        raise SceneLightningError("A worker process could not go on: its message is above.")
                    if process.exitcode:
                        killed += 1
                        self.workers[place] = self._start(place)
        finally:
            for process in self.workers.values():
                process.terminate()
            for process in self.workers.values():
                process.join(_PATIENCE)
                process.kill()
            self.search.announce()


def work(place: int, search: tuple[Any, ...], runner: TrialRunner, jobs: int, deadline: float) -> None:
    """What a worker process does: run trials of the search until there are enough.

    Args:
        place: its number, from 0; it says which GPU.
        search: what `Search.for_worker` gives.
        runner: trains a trial.
        jobs: how many workers share this machine's cores.
        deadline: as `time.time()` counts; no trial begins after it.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the trial is put back, as at Ctrl-C
    torch.set_num_threads(max(1, usable_processors() // jobs))
    if torch.cuda.is_available() and runner.hardware["accelerator"] == "cuda":
        runner.hardware["devices"] = [place % torch.cuda.device_count()]
    parent = multiprocessing.parent_process()

    def is_over() -> bool:
        return time.time() >= deadline or (parent is not None and not parent.is_alive())

    try:
        with opened(search[0]) as study:
            Search(study, *search).run(runner, is_over)
    except SceneLightningError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(_REFUSED)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGTERM)
