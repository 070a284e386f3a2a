"""What is written while a model trains, to terminals, pipes and logs: on a clock that the tests turn."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from scene_lightning import callbacks
from scene_lightning.callbacks import messages, progress
from scene_lightning.callbacks.logs import LazyLogs


class TestProgress:
    def run(
        self, monkeypatch: pytest.MonkeyPatch, terminal: bool, seconds_a_batch: float = 0.5, **params: Any
    ) -> tuple[str, int]:
        """One epoch of four batches on a scripted clock; what was written, and how often logs were read."""
        stream: Any = io.StringIO()
        stream.isatty = lambda: terminal
        clock = SimpleNamespace(now=100.0)
        monkeypatch.setattr(progress.time, "time", lambda: clock.now)
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setitem(sys.modules, "ipykernel", None)
        monkeypatch.delitem(sys.modules, "ipykernel")
        reads: list[int] = []
        listed = callbacks.CallbackList(
            add_progbar=True,
            model=SimpleNamespace(),
            **{"verbose": 1, "epochs": 2, "steps": 4, "samples": 30, "batch_size": 8, **params},
        )
        listed.on_train_begin()
        listed.on_epoch_begin(0)
        for batch in range(4):
            clock.now += seconds_a_batch
            listed.on_train_batch_end(batch, LazyLogs(lambda: reads.append(1) or {"loss": 1.0}))  # type: ignore[func-returns-value]
        listed.on_test_begin()
        clock.now += 100  # validation is no part of the images' time
        listed.on_test_end({"loss": 1.0})
        listed.on_epoch_end(0, {"loss": 1.0})
        listed.on_train_end()
        return stream.getvalue(), len(reads)

    def test_a_pipe_gets_one_plain_line_and_reads_no_batch_logs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text, reads = self.run(monkeypatch, terminal=False)
        bar = "━" * 20
        assert text == f"Epoch 1/2\n4/4 {bar} 102s 34s/step - loss: 1.0000 - 15 images/s\n"
        assert reads == 0

    def test_a_terminal_is_repainted_at_a_bounded_rate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text, reads = self.run(monkeypatch, terminal=True)
        assert text.count("\r") == 5 and reads == 4
        text, reads = self.run(monkeypatch, terminal=True, seconds_a_batch=0.02)
        assert reads == 2  # at 0.02 s, and then not before 0.07 s

    def test_images_per_second_of_an_unknown_number_are_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text, _ = self.run(monkeypatch, terminal=False, samples=None, batch_size=None)
        assert "images/s" not in text
        text, _ = self.run(monkeypatch, terminal=False, samples=None, steps=None)
        assert "16 images/s" in text

    def test_messages_go_to_the_log_when_asked(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        messages.disable_interactive_logging()
        try:
            with caplog.at_level("INFO", logger="scene_lightning"):
                text, _ = self.run(monkeypatch, terminal=False)
        finally:
            messages.enable_interactive_logging()
        assert text == "" and "Epoch 1/2" in caplog.text

    def test_only_one_of_the_two_lists_of_names(self) -> None:
        with pytest.raises(ValueError, match="Only one of"):
            progress.Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"])
