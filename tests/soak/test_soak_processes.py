"""Runs on two processes, one of which is killed or stopped at any step, go on and end as they would have, to the bit.

`make soak` draws a tenth as many as of the runs on one process. SOAK_FIRST=number repeats one.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.soak.test_soak import FAULTS, FIRST, RECIPES, command, differences, place, settings, state_of

__all__ = ["place"]  # a fixture

FAULTS_OF_PROCESSES = ("kill@0", "kill@1", "term@0", "term@1", "write@0", "rename@0")
RECIPES_OF_PROCESSES = ("plain", "averaged", "mixed", "stopping")
wanted: dict[str, object] = {}
met: Counter[str] = Counter()


@pytest.mark.soak
@pytest.mark.parametrize("number", range(FIRST, FIRST + max(1, FAULTS // 10)))
def test_two_processes_with_faults_end_as_they_would_have(number: int, place: Path) -> None:
    draw = random.Random(number)
    recipe = RECIPES_OF_PROCESSES[number % len(RECIPES_OF_PROCESSES)]
    words = [*settings(recipe), "--devices", "2", "--save-every", "2 steps"]
    assert recipe in RECIPES
    if recipe not in wanted:
        done = command(place, "none", 0, "scenes", "--out", f"pair-{recipe}", *words)
        assert done.returncode == 0, done.stderr
        wanted[recipe] = state_of(place / f"pair-{recipe}")
    run = place / f"processes-{number}"
    fault, step = FAULTS_OF_PROCESSES[number % len(FAULTS_OF_PROCESSES)], draw.randrange(2, 28)
    done = command(place, fault, step, "scenes", "--out", run, *words)
    story = f"{fault} at step {step} of {recipe}: {done.returncode}"
    assert done.returncode != 0 or recipe == "stopping", (story, done.stderr)
    assert "Traceback" not in done.stderr, (story, done.stderr)
    if done.returncode != 0:
        met[fault] += 1
        done = command(place, "none", 0, "--resume", run)
        assert done.returncode == 0, (story, done.stderr)
    wrong = differences(wanted[recipe], state_of(run))
    assert not wrong, [story, *wrong[:5]]
    shutil.rmtree(run)
    print(f"{sum(met.values())} faults of one of two processes resumed: {dict(met)}")
