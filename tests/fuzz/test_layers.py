"""Thousands of random stacks of layers against plain torch in float64: wrong numbers, crashes and hangs are failures.

`make fuzz` draws FUZZ_CASES of them, others than the last time unless FUZZ_FIRST says from which number; `make test`
sixty, always the same. The heap is filled with 1e30 where nobody has written, so that nobody reads it unseen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("worker.py")
CASES = int(os.environ.get("FUZZ_CASES", "60"))
FIRST = int(os.environ.get("FUZZ_FIRST", str(int(time.time()) if "FUZZ_CASES" in os.environ else 0)))
# glibc's: each allocation is filled with the byte 0x71; four of them are 1.19e30 in float32, two in bfloat16.
POISON = "glibc.malloc.tcache_count=0:glibc.malloc.perturb=142"


def run_worker(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GLIBC_TUNABLES": POISON, "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run([sys.executable, str(WORKER), *arguments], env=environment, capture_output=True, text=True)


def run_stacks(first: int, count: int) -> dict[int, str | None]:
    """What is wrong with each stack (None: nothing; "skipped: …": not a stack that Keras takes)."""
    verdicts: dict[int, str | None] = {}
    while len(verdicts) < count:
        begin = first + len(verdicts)
        ended = run_worker(str(begin), str(count - len(verdicts)))
        died = f"crash or hang, status {ended.returncode}: {ended.stderr[-300:]}"
        for line in map(json.loads, ended.stdout.splitlines()):
            verdicts[line["seed"]] = line.get("problem", died)
        assert begin in verdicts, ended.stderr
    return verdicts


def test_what_was_wrong_once_is_right() -> None:
    ended = run_worker("known")
    assert ended.returncode == 0, ended.stderr
    verdicts = [json.loads(line) for line in ended.stdout.splitlines()]
    assert verdicts and not [verdict for verdict in verdicts if verdict.get("problem")]


@pytest.mark.timeout(0)
def test_random_stacks_compute_what_plain_torch_computes() -> None:
    verdicts = run_stacks(FIRST, CASES)
    compared = [seed for seed, problem in verdicts.items() if not (problem or "").startswith("skipped")]
    wrong = {seed: verdicts[seed] for seed in compared if verdicts[seed]}
    print(f"{len(compared)} stacks compared, {CASES - len(compared)} not taken or too large, from number {FIRST}")
    assert not wrong, "\n".join(f"number {seed}: {problem}" for seed, problem in wrong.items())
    assert len(compared) > CASES // 2
