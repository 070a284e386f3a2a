"""What a run writes after its epochs: all metrics at once, the curves without costing short epochs their time."""

from __future__ import annotations

from pathlib import Path

import pytest

from scene_lightning.reports import plots
from scene_lightning.reports.metrics_file import read_metrics
from scene_lightning.runs import callbacks
from scene_lightning.runs.callbacks import RunRecorder


@pytest.mark.parametrize(("usual", "expected"), [(0.25, [5]), (0.0, [1, 5])])
def test_curves_of_short_epochs_are_drawn_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usual: float, expected: list[int]
) -> None:
    drawn: list[int] = []
    draw = plots.plot_curves

    def count(history: dict[str, list[float]], path: Path) -> Path:
        drawn.append(len(history["loss"]))
        return draw(history, path)

    monkeypatch.setattr(plots, "plot_curves", count)
    monkeypatch.setattr(callbacks, "_USUAL_DRAWING", usual)
    recorder = RunRecorder(tmp_path)
    for epoch in range(5):
        recorder.on_epoch_begin(epoch)
        recorder.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 1)})
        assert len(read_metrics(tmp_path / "metrics.csv")) == epoch + 1
    recorder.on_train_end()
    assert drawn == expected and (tmp_path / "curves.png").is_file()
