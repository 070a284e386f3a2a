"""docs/lightning-users.md and examples/with_lightning.py do what they show."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "lightning-users.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_pages_blocks_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 8
    printed = capsys.readouterr().out
    assert all(f"'{name}': " in printed for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
    assert set(names["history"]) == {"train_loss"}  # type: ignore[call-overload]


def test_the_program_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["with_lightning.py"])
    runpy.run_path(str(ROOT / "examples" / "with_lightning.py"), run_name="__main__")
    printed = capsys.readouterr().out
    accuracy = re.search(r"compiled: \{'test_accuracy': ([\d.]+)", printed)
    assert accuracy and float(accuracy[1]) > 0.5  # of six kinds of synthetic scene
    for line in ("loaded:   (24, 6)", "own steps: {", "exported:  (5, 6)"):
        assert line in printed


def test_what_the_page_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE)
    assert links and not [link for link in links if not (ROOT / "docs" / link).exists()]
