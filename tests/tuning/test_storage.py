"""What a storage remembers: searches that stop, are killed, share a file or find a wrong one."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.tuning import storage
from scene_lightning.tuning.storage import optuna, storage_path
from scene_lightning.tuning.trial import Outcome
from scene_lightning.tuning.workers import run_trials
from tests.tuning.searches import SPACE, FakeRunner, finish, interrupt, search_in


def test_a_search_that_stopped_goes_on_as_if_it_had_not(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "whole.db", 14) as search:
        whole = finish(search)
    halves = []
    for trials in (5, 13, 14):
        with search_in(place, tmp_path / "halves.db", trials) as search:
            halves += finish(search)
    assert halves == whole and len(set(whole)) > 10
    with search_in(place, tmp_path / "halves.db", 14) as search:
        assert finish(search) == [] and search.earlier == 14


def test_the_recipes_own_values_come_first(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 2) as search:
        assert finish(search)[0] == (1e-3, 16, (4,))
        assert search.rows()[0].values["model.filters"] == [4]


def test_ctrl_c_loses_nothing_and_changes_nothing(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "whole.db", 14) as search:
        whole = finish(search)
    done = []
    for cut in (1, 3, 1, 6):
        runner = FakeRunner(cut=cut, on=interrupt)
        with search_in(place, tmp_path / "s.db", 14) as search, pytest.raises(KeyboardInterrupt):
            search.run(runner)
        done += runner.seen[:-1]
    with search_in(place, tmp_path / "s.db", 14) as search:
        assert search.earlier == len(done) == 7
        assert done + finish(search) == whole
        assert [row.state for row in search.rows()].count("interrupted") == 4
        assert len(search.counted()) == 14


def kill_in(place: Path, file: Path, number: int, after: float = 0.5) -> None:
    """Another process works on the search and is killed during its trial of that number, counted from 1."""
    code = (
        "import os, signal, sys, time; from pathlib import Path\n"
        "from tests.tuning.searches import FakeRunner, search_in\n"
        "with search_in(Path(sys.argv[1]), Path(sys.argv[2]), 5) as search:\n"
        "    kill = lambda: (time.sleep(float(sys.argv[4])), os.kill(os.getpid(), signal.SIGKILL))\n"
        "    search.run(FakeRunner(cut=int(sys.argv[3]), on=kill))\n"
    )
    words = [sys.executable, "-c", code, str(place), str(file), str(number), str(after)]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.soak
def test_the_trial_of_a_killed_process_is_repeated_once(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with search_in(place, tmp_path / "whole.db", 5) as search:
        whole = finish(search)
    kill_in(place, tmp_path / "s.db", 3)
    monkeypatch.setattr(storage, "GRACE_SECONDS", 1)
    time.sleep(2.1)
    with search_in(place, tmp_path / "s.db", 5) as search:
        assert search.earlier == 2 and finish(search) == whole[2:]
        assert [row.state for row in search.rows()] == ["complete"] * 2 + ["interrupted"] + ["complete"] * 3
    kill_in(place, tmp_path / "at once.db", 3, after=0)  # perhaps before its first heartbeat
    with search_in(place, tmp_path / "at once.db", 5) as search:
        assert sorted([*whole[:2], *finish(search)]) == sorted(whole)
    for number in (1, 1):
        kill_in(place, tmp_path / "twice.db", number)
        time.sleep(2.1)
        with search_in(place, tmp_path / "twice.db", 5) as search:
            optuna.storages.fail_stale_trials(search.study)
    with search_in(place, tmp_path / "twice.db", 5) as search:
        finish(search)
        assert [row.state for row in search.rows()] == ["interrupted", "failed"] + ["complete"] * 4
        assert "killed twice" in search.rows()[1].reason


class KilledOnce(FakeRunner):
    """Runs trials in workers; the first one is killed, wherever it runs."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        storage.GRACE_SECONDS, storage.HEARTBEAT_SECONDS = 4, 1  # in the worker
        self.__dict__.update(state)
        (self.folder / f"worker {os.getpid()}").touch()

    def run(self, recipe: Recipe, trial: Any) -> Outcome:
        outcome = super().run(recipe, trial)
        with (self.folder / "drawn.txt").open("a") as file:
            file.write(f"{os.getpid()} {self.seen[-1]}\n")
        try:
            (self.folder / "killed").mkdir()
        except FileExistsError:
            for _ in range(600):  # the others are there, too
                if len(list(self.folder.glob("worker *"))) == 3:
                    break
                time.sleep(0.1)
            return outcome
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.mark.soak
def test_workers_share_the_trials_and_one_that_is_killed_is_replaced(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 12) as search:
        assert run_trials(search, KilledOnce(tmp_path), 2, None)
        rows = search.rows()
    assert sorted(row.state for row in rows) == ["complete"] * 12 + ["interrupted"]
    drawn = [line.split(" ", 1) for line in (tmp_path / "drawn.txt").read_text().splitlines()]
    assert len(drawn) == 13 and len(list(tmp_path.glob("worker *"))) == 3
    cut = next(row for row in rows if row.state == "interrupted")
    assert sum(row.values == cut.values for row in rows) == 2


@pytest.mark.soak
def test_a_full_disk_is_one_error_and_the_search_goes_on_after_it(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 40) as search:
        finish(search, 3)
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from tests.tuning.searches import finish, search_in\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); size = Path(sys.argv[2]).stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, size + 8192))\n"
        "with search_in(Path(sys.argv[1]), Path(sys.argv[2]), 40) as search: finish(search)\n"
    )
    words = [sys.executable, "-c", code, str(place), str(tmp_path / "s.db")]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "InputError: --storage" in done.stderr and "cannot be used" in done.stderr
    with search_in(place, tmp_path / "s.db", 40) as search:
        assert 3 <= search.earlier < 40
        search.study._storage._backend.grace_period = 1  # type: ignore[attr-defined]
        time.sleep(2.1)
        finish(search)
        assert len(search.counted()) == 40 and all(row.state != "failed" for row in search.rows())


@pytest.mark.parametrize(
    ("overrides", "space", "message"),
    [
        (["epochs=3"], SPACE, "training.epochs was 2, now 3"),
        (["seed=1"], SPACE, "training.seed was 777, now 1"),
        ([], SPACE.replace("high: 32", "high: 64"), "the space differs in 'training.batch_size: .*high: 64"),
    ],
)
def test_a_storage_is_of_one_search(
    place: Path, tmp_path: Path, overrides: list[str], space: str, message: str
) -> None:
    with search_in(place, tmp_path / "s.db", 1) as search:
        finish(search)
    (tmp_path / "other.yaml").write_text(space)
    other = search_in(place, tmp_path / "s.db", 1, *overrides, space=str(tmp_path / "other.yaml"))
    with pytest.raises(InputError, match=f"a search over something else: {message}"), other:
        pass
    with search_in(place, tmp_path / "s.db", 1, "accelerator=auto"):
        pass  # where it runs may change


def test_two_searches_in_one_storage_share_its_trials(place: Path, tmp_path: Path) -> None:
    with search_in(place, tmp_path / "s.db", 6) as one, search_in(place, tmp_path / "s.db", 6) as other:
        seen = list(itertools.chain.from_iterable(finish(search, 1) for search in (one, other, one, other)))
        assert len(set(seen)) == 4
        running = FakeRunner(cut=1, on=lambda: seen.extend(finish(other, 1)))  # begins while one of `one` runs
        one.run(running, lambda: bool(running.seen))
        assert [len(search.counted()) for search in (one, other)] == [6, 6] and finish(one) == []
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]


def test_files_of_others_are_no_storage(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine, and long enough to have a header")
    with sqlite3.connect(tmp_path / "theirs.db") as database:
        database.execute("CREATE TABLE songs (name TEXT)")
    (tmp_path / "hurt.db").write_bytes(b"SQLite format 3\0" + b"x" * 500)
    for name, message in (
        ("notes.txt", "cannot be read: file is not a database"), ("theirs.db", "another program's database"),
        ("hurt.db", "cannot be read"),
        ("", "is a folder"), ("mysql://host/name", "expected the path of an SQLite file"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            storage_path(name if "//" in name else str(tmp_path / name))
    assert storage_path(f"sqlite:///{tmp_path}/new.db") == tmp_path / "new.db"
