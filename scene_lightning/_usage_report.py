"""Counts what a program used, what was taken without effect and what was cut short: for the runner's closing report."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Ledger:
    """Counts and remarks of one process, in the order in which they came.

    Attributes:
        calls: "fit", "evaluate", "predict", … → how often.
        ignored: what was accepted and has no meaning here, with a reason.
        limited: what a trial run cut short.
        symbols: Keras and TensorFlow names that the program asked for.
        missing: those that are not here: an error only for a program that uses them.
        aliases: names that other libraries have removed and the runner gave back → the modern spelling.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.calls: Counter[str] = Counter()
        self.ignored: dict[str, str] = {}
        self.limited: list[str] = []
        self.symbols: set[str] = set()
        self.missing: set[str] = set()
        self.aliases: dict[str, str] = {}

    def count(self, method: str) -> None:
        """Count one call.

        Args:
            method: "fit", "evaluate", "predict", ….
        """
        self.calls[method] += 1

    def ignore(self, what: str, why: str) -> None:
        """Note what was accepted and does nothing.

        Args:
            what: as the program wrote it.
            why: the reason.
        """
        self.ignored.setdefault(what, why)

    def ignore_unless_default(self, method: str, why: str, **given: tuple[Any, Any]) -> None:
        """Note each argument whose value is not its default.

        Args:
            method: the method that has them.
            why: why they have no effect.
            **given: name → (value, default).
        """
        for name, (value, default) in given.items():
            if value != default:
                self.ignore(f"{method}({name}={value!r})", why)


ledger = Ledger()
