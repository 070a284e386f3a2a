"""Opens the file that keeps a search: an Optuna study in SQLite, on which several processes may work at once.

A database, not Optuna's journal: only databases have heartbeats, which tell the trials of a killed process from those
that run, and what a full disk cuts off is rolled back, where a journal with a torn line cannot be read any more.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from scene_lightning.errors import InputError, UnsupportedError

try:
    import optuna
    from optuna.storages.journal import JournalFileOpenLock
except ModuleNotFoundError as missing:
    raise UnsupportedError(
        f'A search needs Optuna, which is not here ({missing}): pip install "scene-lightning[tune]"'
    ) from missing

HEARTBEAT_SECONDS, GRACE_SECONDS = 10, 60  # a trial without a heartbeat for so long has lost its process
MOST_REPEATS = 1  # of a trial whose process was killed: it may have been the trial that wanted too much memory
_STUDY = "scene-lightning tune"
_PREFIX = "sqlite:///"


def storage_path(text: str) -> Path:
    """Check that `text` names a file that can hold a search.

    Args:
        text: a file's path, or Optuna's `sqlite:///` with one.

    Returns:
        The path.

    Raises:
        InputError: another kind of database, a folder, or a file that is no Optuna storage.
    """
    path = Path(text.removeprefix(_PREFIX))
    if path.is_dir():
        raise InputError(f"--storage {text!r} is a folder. Expected a file, such as {path / 'study.db'}.")
    if "://" in text.removeprefix(_PREFIX):
        raise InputError(f"--storage {text!r}: expected the path of an SQLite file, such as study.db.")
    if path.is_file() and path.stat().st_size:
        _require_optuna(path)
    return path


def _require_optuna(path: Path) -> None:
    """Optuna would add its tables to any database: refuse those of other programs, and files that are none."""
    cure = "Expected the storage of an earlier tune, or a new name."
    try:
        with closing(sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise InputError(f"--storage {str(path)!r} cannot be read: {error}. {cure}") from error
    if tables and not {"studies", "trials"} <= tables:
        raise InputError(f"--storage {str(path)!r} is another program's database. {cure}")


@contextmanager
def opened(path: Path) -> Iterator[optuna.Study]:
    """Open the study in the storage at `path`, or make it; on the way out its connections are closed.

    Args:
        path: the SQLite file; folders on the way to it are made.

    Raises:
        InputError: the file cannot be read or written; within the block, too, where a disk fills up.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    with _refused(path, Exception):  # SQLAlchemy's, sqlite3's and Optuna's own, for files of another version
        path.parent.mkdir(parents=True, exist_ok=True)
        storage = optuna.storages.RDBStorage(
            f"{_PREFIX}{path.resolve()}",
            engine_kwargs={"connect_args": {"timeout": GRACE_SECONDS}},  # for another process to finish its write
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(MOST_REPEATS),
        )
    try:
        with _refused(path, Exception):
            # After five trials, and never at a first epoch: BatchNormalization's statistics have hardly moved by then.
            pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
            study = optuna.create_study(
                storage=storage, study_name=_STUDY, direction="maximize", load_if_exists=True, pruner=pruner
            )
        with _refused(path, optuna.exceptions.StorageInternalError):
            yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def _refused(path: Path, kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind as error:
        lines = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"--storage {str(path)!r} cannot be used: {lines[0]} Name another file, or see that it can be written."
        ) from error


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Within the block no other process begins a trial: SQLite has no locks on rows, so two could take the same one.

    Args:
        path: the storage's; the lock is a file beside it.
    """
    lock = JournalFileOpenLock(str(path))
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
