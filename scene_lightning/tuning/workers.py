"""A search and a bench in; trials run one after the other here, or several at a time in processes of their own.

Worker processes know neither the search nor its storage: a recipe goes in, epochs and an outcome come out.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from scene_lightning.errors import SceneLightningError
from scene_lightning.tuning.study import Candidate, Search
from scene_lightning.tuning.trial import Bench, Outcome, in_words

_EPOCH, _DONE = "epoch", "done"
_PATIENCE = 10  # seconds for a process that has closed its pipe to end


def run_trials(search: Search, bench: Bench, jobs: int, timeout: float | None) -> bool:
    """Run trials until there are enough; False when `timeout` ended it first.

    Args:
        jobs: trials at a time.
        timeout: seconds after which no trial begins; those that run are finished.

    Raises:
        KeyboardInterrupt: Ctrl-C; the trials that ran are put back into the search.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    if jobs == 1:
        return _run_here(search, bench, deadline)
    crew = _Crew(search, bench, jobs, deadline)
    try:
        return crew.run()
    finally:
        crew.dismiss()


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _run_here(search: Search, bench: Bench, deadline: float | None) -> bool:
    while not _is_over(deadline):
        candidate = search.begin()
        if candidate is None:
            return True
        try:
            outcome = bench.run(candidate.recipe, partial(search.heard, candidate))
        except KeyboardInterrupt:
            search.interrupt(candidate)
            raise
        search.end(candidate, outcome)
    return len(search.counted()) >= search.trials


# -- several at a time -------------------------------------------------------------------------------------------------


@dataclass
class _Worker:
    process: Any
    connection: Any
    candidate: Candidate | None = None


class _Crew:
    """Worker processes, and the loop that gives them trials; one trial each."""

    def __init__(self, search: Search, bench: Bench, jobs: int, deadline: float | None) -> None:
        self.search, self.bench, self.deadline = search, bench, deadline
        self.workers = [self._hire(place, jobs) for place in range(jobs)]
        self.jobs = jobs

    def _hire(self, place: int, jobs: int) -> _Worker:
        context = multiprocessing.get_context("spawn")  # a fork of a process that has run torch may hang
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, self.bench, place, jobs), daemon=True)
        with _deaf():  # the process is born so: Ctrl-C reaches all of them, and this one sees to the others
            process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        return _Worker(process, ours)

    def run(self) -> bool:
        try:
            while self._give_out():
                for connection in wait([worker.connection for worker in self._busy()]):
                    self._listen(next(worker for worker in self.workers if worker.connection is connection))
        except KeyboardInterrupt:
            self.dismiss()
            for worker in self._busy():
                if worker.candidate is not None:
                    self.search.interrupt(worker.candidate)
            raise
        return len(self.search.counted()) >= self.search.trials

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self.workers if worker.candidate is not None]

    def _give_out(self) -> bool:
        """A trial for each idle worker, while there are any; whether anything is running."""
        for place in range(self.jobs):
            while self.workers[place].candidate is None and not _is_over(self.deadline):
                candidate = self.search.begin(running=len(self._busy()))
                if candidate is None:
                    return bool(self._busy())
                self.workers[place].candidate = candidate
                self._send(self.workers[place], candidate)
        return bool(self._busy())

    def _send(self, worker: _Worker, candidate: Candidate) -> None:
        try:
            self.bench.images(candidate.recipe)  # decoded here, once: the workers find them in the cache
            self.bench.targets(candidate.recipe)
        except (SceneLightningError, OSError) as error:
            self._finish(worker, Outcome("failed", reason=in_words(error)))
            return
        try:
            worker.connection.send(candidate.recipe)
        except OSError:
            self._replace(worker)

    def _listen(self, worker: _Worker) -> None:
        assert worker.candidate is not None
        try:
            kind, *told = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if kind == _EPOCH:
            worker.connection.send(self.search.heard(worker.candidate, *told))
        else:
            self._finish(worker, told[0])

    def _finish(self, worker: _Worker, outcome: Outcome) -> None:
        candidate, worker.candidate = worker.candidate, None
        assert candidate is not None
        self.search.end(candidate, outcome)

    def _replace(self, worker: _Worker) -> None:
        """A worker died (out of memory, most likely): its trial has failed, and another takes its place."""
        worker.process.join(_PATIENCE)
        worker.process.terminate()
        reason = f"its process ended with status {worker.process.exitcode}"
        if worker.process.exitcode == -getattr(signal, "SIGKILL", 9):
            reason += ": killed, perhaps for want of memory"
        self._finish(worker, Outcome("failed", reason=reason))
        place = self.workers.index(worker)
        self.workers[place] = self._hire(place, self.jobs)

    def dismiss(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join()
            worker.connection.close()


@contextmanager
def _deaf() -> Iterator[None]:
    """Within the block, Ctrl-C is not heard; nothing changes outside the main thread, which alone hears it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def work(connection: Connection, bench: Bench, place: int, jobs: int) -> None:
    """What a worker process does until the other end is gone: train the recipes that it is sent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(max(1, cores // jobs))
    if torch.cuda.is_available() and bench.hardware["accelerator"] == "cuda":
        bench.hardware["devices"] = [place % torch.cuda.device_count()]

    def heard(epoch: int, accuracy: float) -> bool:
        connection.send((_EPOCH, epoch, accuracy))
        return bool(connection.recv())

    try:
        while True:
            recipe = connection.recv()
            connection.send((_DONE, bench.run(recipe, heard)))
    except (EOFError, OSError):  # the first process is gone
        return
