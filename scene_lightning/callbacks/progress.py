"""Keras 3's progress line, with images per second at its end, in as many columns as the terminal has.

A terminal sees the line repainted, at most every 0.05 s; files, pipes and dumb terminals get one plain line an epoch.
Values are read only when the line is painted, since reading them waits for the device.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from scene_lightning._terminal import is_dumb, is_terminal, shows_colours, width_of
from scene_lightning.callbacks.base import Callback
from scene_lightning.callbacks.messages import print_message
from scene_lightning.errors import InputError

_BOLD, _GREEN, _WHITE, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


def can_repaint() -> bool:
    """Whether standard output shows a line that is written over: a terminal, or a notebook cell."""
    if is_terminal(sys.stdout):
        return not is_dumb()
    return "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ


class Progbar:
    """A progress line. Keras: `keras.utils.Progbar`.

    Args:
        target: steps expected; None when unknown.
        width: the bar's width in characters.
        verbose: 0 silent, 1 a bar, 2 one line at the end.
        interval: least seconds between repaints.
        stateful_metrics: names shown as they are; all others are averaged over the steps.
        stateless_metrics: names averaged over the steps; all others are shown as they are.
        unit_name: what a step is called.

    Raises:
        InputError: both `stateful_metrics` and `stateless_metrics` are given.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise InputError("Only one of `stateful_metrics` or `stateless_metrics` can be provided.")
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self._stateless = None if stateless_metrics is None else set(stateless_metrics)
        self._stateful = set(stateful_metrics or ())
        self._repaints = can_repaint()
        self._seen_so_far = 0
        self._sums: dict[str, tuple[Any, int]] = {}
        self._start = time.time()
        self._last_update = 0.0
        self._time_after_first_step: float | None = None
        self._previous_width = 0

    def update(
        self, current: int, values: Any = None, finalize: bool | None = None, images_per_second: float | None = None
    ) -> None:
        """Show that so many steps are done.

        Args:
            current: how many steps are done in all.
            values: (name, value) pairs, or a mapping, which is read only when the line is painted.
            finalize: whether this is the last update; None: when `current` reaches the target.
            images_per_second: shown at the end of the line (verbose 1).
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        now = time.time()
        step_seconds = self._step_seconds(current, now)
        paints = finalize if not self._repaints else finalize or now - self._last_update >= self.interval
        if not isinstance(values, Mapping) or paints or self._stateless != set():
            self._take(current, values.items() if isinstance(values, Mapping) else values or (), finalize)
        self._seen_so_far = current
        if self.verbose == 1 and paints:
            self._paint(current, now, step_seconds, finalize, images_per_second)
        elif self.verbose == 2 and finalize and self.target:
            parts = [self._count(current), f"{now - self._start:.0f}s", self._format_time(step_seconds).strip()]
            # Keras leaves out abs() here, so that -2 is shown as -2.0000e+00.
            parts += [f"{name}: {_number(value, value)}" for name, value in self._averages()]
            print_message(_broken(parts, width_of(sys.stdout)))
        if self.verbose != 1 or paints:
            self._last_update = now

    def add(self, n: int, values: Any = None) -> None:
        """Show that some more steps are done.

        Args:
            n: how many more.
            values: (name, value) pairs, or a mapping.
        """
        self.update(self._seen_so_far + n, values)

    def _take(self, current: int, values: Iterable[tuple[str, Any]], finalize: bool) -> None:
        steps = max(current - self._seen_so_far, 1)
        for name, value in values:
            averaged = name in self._stateless if self._stateless is not None else name not in self._stateful
            if not averaged or finalize:
                self._sums[name] = (value, 1)
            else:
                total, count = self._sums.get(name, (0, 0))
                self._sums[name] = (total + value * steps, count + steps)

    def _averages(self) -> Iterable[tuple[str, float]]:
        for name, (total, count) in self._sums.items():
            yield name, float(np.mean(total)) / max(1, count)

    def _count(self, current: int) -> str:
        assert self.target
        return f"{current:{int(math.log10(self.target)) + 1}d}/{self.target}"

    def _paint(
        self, current: int, now: float, step_seconds: float, finalize: bool, images_per_second: float | None
    ) -> None:
        if self.target and not finalize:
            clock = _eta(step_seconds * (self.target - current))
        else:
            clock = f"{now - self._start:.0f}s"
        count = self._count(current) if self.target else f"{current:7d}/Unknown"
        speed = None if images_per_second is None else f"{images_per_second:.0f} images/s"
        line = _Line(
            count, self.width if self.target else 0, current / (self.target or 1), clock,
            self._format_time(step_seconds).strip(), list(self._averages()), speed,
        )  # fmt: skip
        if not self._repaints:
            print_message(line.plain())
            return
        width = width_of(sys.stdout)
        lines = line.fit(None if width is None else width - 1, finalize)
        length = len(lines[0][1])
        covered = self._previous_width - length if width is None else min(self._previous_width, width - 1) - length
        start = "\b" * self._previous_width + "\r" + lines[0][0] + " " * max(0, covered)
        rest = "".join(f"\n{text}" for text, _ in lines[1:])
        print_message(start + rest + ("\n" if finalize else ""), line_break=False)
        self._previous_width = length

    def _format_time(self, step_seconds: float) -> str:
        if step_seconds >= 1 or step_seconds == 0:
            return f" {step_seconds:.0f}s/{self.unit_name}"
        if step_seconds >= 1e-3:
            return f" {step_seconds * 1e3:.0f}ms/{self.unit_name}"
        return f" {step_seconds * 1e6:.0f}us/{self.unit_name}"

    def _step_seconds(self, current: int, now: float) -> float:
        """Seconds a step; the first one, which sets things up, is left out as soon as there are more."""
        if not current:
            return 0
        if self._time_after_first_step is not None and current > 1:
            seconds = (now - self._time_after_first_step) / (current - 1)
        else:
            seconds = (now - self._start) / current
        if current == 1:
            self._time_after_first_step = now
        return seconds


class _Line:
    """What one progress line says, and how it is shortened to fit.

    Args:
        count: steps done and in all.
        bar: the bar's width in characters; 0 for none.
        share: of the steps that are done, 0 to 1.
        clock: time left, or spent.
        pace: time a step.
        metrics: (name, value) pairs.
        speed: images per second, in words, or None.
    """

    def __init__(
        self, count: str, bar: int, share: float, clock: str, pace: str, metrics: list[tuple[str, float]],
        speed: str | None,
    ) -> None:  # fmt: skip
        self.count, self.bar, self.share, self.clock, self.pace = count, bar, share, clock, pace
        self.metrics, self.speed = metrics, speed

    def plain(self, colours: bool = False, bar: int | None = None) -> str:
        """The line as Keras writes it.

        Args:
            colours: whether with control characters for colours.
            bar: another width of the bar.
        """
        figures = [f"{name}: {_number(value, abs(value))}" for name, value in self.metrics]
        rest = [*figures, *([self.speed] if self.speed else [])]
        return self._head(self.bar if bar is None else bar, colours) + "".join(f" - {text}" for text in rest)

    def fit(self, width: int | None, whole: bool) -> list[tuple[str, str]]:
        """The lines to show, each as (with colours, without).

        Args:
            width: the most columns; None for as many as it takes.
            whole: whether all metrics are shown, on further lines where need be; else those that have room.
        """
        colours = shows_colours()
        for bar in (self.bar, 10, 5) if self.bar else (0,):
            if width is None or len(self.plain(bar=bar)) <= width:
                return [(self.plain(colours, bar), self.plain(bar=bar))]
        assert width is not None
        short = [f"{short_name(name)} {_short_number(value)}" for name, value in self.metrics]
        last = [self.speed] if self.speed else []
        for bar in (10, 5, 0) if self.bar else (0,):
            line = "  ".join([self._head(bar, False), *short, *last])
            if len(line) <= width:
                return [("  ".join([self._head(bar, colours), *short, *last]), line)]
        lines = [f"{self.count} {self.clock}"[:width]]
        for text in [*short, *last]:
            if len(lines[-1]) + 2 + len(text) <= width:
                lines[-1] += f"  {text}"
            elif whole:
                lines.append(f"    {text}"[:width])
        return [(line, line) for line in lines]

    def _head(self, bar: int, colours: bool) -> str:
        bold, green, white, plain = (_BOLD, _GREEN, _WHITE, _PLAIN) if colours else ("",) * 4
        filled = int(bar * min(self.share, 1.0))
        done = f"{green}{'━' * filled}{plain}" if filled else ""
        left = f"{white}{('━' if colours else '─') * (bar - filled)}{plain}"
        drawn = f" {done}{left}" if bar else ""
        return f"{bold}{self.count}{plain}{drawn} {bold}{self.clock}{plain} {self.pace}"


_SHORT_NAMES = {
    "accuracy": "acc", "sparse_categorical_accuracy": "acc", "categorical_accuracy": "acc", "binary_accuracy": "acc",
    "learning_rate": "lr", "precision": "prec", "f1_score": "f1", "top_k_categorical_accuracy": "top_k",
    "sparse_top_k_categorical_accuracy": "top_k",
}  # fmt: skip
_LONGEST_NAME = 14


def short_name(name: str) -> str:
    """A metric's name for a narrow terminal: `val_sparse_categorical_accuracy` becomes `val_acc`.

    Args:
        name: as in the logs.
    """
    prefix, bare = ("val_", name[4:]) if name.startswith("val_") else ("", name)
    short = prefix + _SHORT_NAMES.get(bare, bare)
    return short if len(short) <= _LONGEST_NAME else f"{short[: _LONGEST_NAME - 1]}…"


def _short_number(value: float) -> str:
    return f"{value:.3f}" if 1e-2 <= abs(value) < 100 or value == 0 else f"{value:.3g}"


def _number(value: float, size: float) -> str:
    return f"{value:.4f}" if size > 1e-3 else f"{value:.4e}"


def _broken(parts: Sequence[str], width: int | None) -> str:
    """Parts with dashes between them, on as many lines as the terminal's width asks for."""
    lines = [parts[0]]
    for part in parts[1:]:
        if width is None or len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f" - {part}"
        else:
            lines.append(f"    {part}")
    return "\n".join(lines)


def _eta(seconds: float) -> str:
    if seconds > 3600:
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"
    if seconds > 60:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    return f"{int(seconds)}s"


class ProgbarLogger(Callback):
    """Prints the progress of `fit`, `evaluate` and `predict`. Keras: `keras.callbacks.ProgbarLogger`.

    Args:
        count_mode: Keras 2's "steps" or "samples"; steps are counted.
        stateful_metrics: taken for Keras 2's sake; every value shown is an average already.
    """

    def __init__(self, count_mode: str = "steps", stateful_metrics: Any = None) -> None:
        super().__init__()
        if count_mode not in ("steps", "samples"):
            raise InputError(f'Unknown `count_mode`: {count_mode}. Expected values are ["samples", "steps"].')
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._called_in_fit = False
        self._steps_end: float | None = None

    def set_params(self, params: Any) -> None:
        self.params = params
        self.verbose = 1 if params["verbose"] == "auto" else int(params["verbose"])
        self.epochs = params["epochs"]
        self.target = params["steps"]

    def on_train_begin(self, logs: Any = None) -> None:
        self._called_in_fit = True  # inside fit, validation is silent

    def on_test_begin(self, logs: Any = None) -> None:
        if self._called_in_fit:
            self._steps_end = time.time()
        else:
            self._new_bar()

    def on_predict_begin(self, logs: Any = None) -> None:
        self._new_bar()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._new_bar()
        if self.verbose and self.epochs > 1:
            print_message(f"Epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._update(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if not self._called_in_fit:
            self._update(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._update(batch, None)  # the outputs are no metrics

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._finalize(logs)

    def on_test_end(self, logs: Any = None) -> None:
        if not self._called_in_fit:
            self._finalize(logs)

    def on_predict_end(self, logs: Any = None) -> None:
        self._finalize(None)

    def on_train_end(self, logs: Any = None) -> None:
        self._called_in_fit = False

    def _new_bar(self) -> Progbar:
        self.seen = 0
        self._steps_end = None
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())
        return self.progbar

    def _update(self, batch: int, logs: Any) -> None:
        bar = self.progbar or self._new_bar()
        self.seen = batch + 1
        if self.verbose == 1:
            bar.update(self.seen, logs, finalize=False, images_per_second=self._images_per_second())

    def _finalize(self, logs: Any) -> None:
        bar = self.progbar or self._new_bar()
        if self.target is None:
            self.target = bar.target = self.seen
        bar.update(self.target, logs, finalize=True, images_per_second=self._images_per_second())
        self.progbar = None

    def _images_per_second(self) -> float | None:
        """Images of this epoch's steps over their wall time, without validation; None when their number is unknown."""
        params = self.params or {}
        samples, batch_size = params.get("samples"), params.get("batch_size")
        if self.progbar is None or not self.seen or not (samples or batch_size):
            return None
        if samples and (not self.target or self.seen >= self.target):
            images = float(samples)
        elif batch_size:
            images = float(self.seen * batch_size)
        elif samples and self.target:
            images = samples * self.seen / self.target
        else:
            return None
        seconds = (self._steps_end or time.time()) - self.progbar._start
        return images / seconds if seconds > 0 else None
