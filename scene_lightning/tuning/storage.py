"""The path of a storage in; an Optuna study in it, held by this process alone, out.

Whoever opens a storage holds a lock beside it, so trials that it finds running belong to a process that is gone.
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
except ModuleNotFoundError as missing:
    raise UnsupportedError(
        f'A search needs Optuna, which is not here ({missing}): pip install "scene-lightning[tune]"'
    ) from missing

_STUDY = "scene-lightning tune"
_HEADER = b"SQLite format 3\0"
_PREFIX = "sqlite:///"


def storage_path(text: str) -> Path:
    """A file's path, or Optuna's `sqlite:///` with one → the path.

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
    with open(path, "rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            raise InputError(f"--storage {str(path)!r} is no SQLite file. {cure}")
    try:
        with closing(sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise InputError(f"--storage {str(path)!r} cannot be read: {error}. {cure}") from error
    if tables and not {"studies", "trials"} <= tables:
        raise InputError(f"--storage {str(path)!r} is another program's database. {cure}")


@contextmanager
def opened(path: Path) -> Iterator[optuna.Study]:
    """The study in the storage at `path`, made where there is none; within the block no other process has it.

    Raises:
        InputError: another process is at work on it, or the file cannot be read or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _locked(path), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        storage = None
        try:
            storage = optuna.storages.RDBStorage(f"{_PREFIX}{path.resolve()}")
            study = optuna.create_study(
                storage=storage, study_name=_STUDY, direction="maximize", load_if_exists=True, pruner=_pruner()
            )
        except Exception as error:  # SQLAlchemy's, sqlite3's and Optuna's own, for files of another version
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"--storage {str(path)!r} cannot be used: {lines[0]} Name another file, or see that it can be written."
            ) from error
        try:
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _pruner() -> optuna.pruners.BasePruner:
    # After five trials, and never at a first epoch: BatchNormalization's statistics have hardly moved by then.
    return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `path`.lock: a transaction in an empty SQLite file, which ends with the process, however that ends."""
    lock = path.with_name(path.name + ".lock")
    try:
        database = sqlite3.connect(lock, timeout=0, isolation_level=None)
    except sqlite3.Error as error:
        raise InputError(f"--storage {str(path)!r}: its folder cannot be written ({error}). Name another.") from error
    try:
        try:
            database.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise InputError(
                f"--storage {str(path)!r} is in use by another tune. Wait for it or name another file; for several "
                "trials at a time: --jobs."
            ) from error
        yield
    finally:
        database.close()
        if _is_free(lock):
            lock.unlink(missing_ok=True)


def _is_free(lock: Path) -> bool:
    """Whether nobody holds the lock: then it may go."""
    try:
        with closing(sqlite3.connect(lock, timeout=0, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            return True
    except sqlite3.Error:
        return False
