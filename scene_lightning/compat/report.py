"""Writes the runner's closing report: what ran, what was ignored and what is not supported."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections import Counter

from scene_lightning._usage_report import ledger
from scene_lightning.compat.unused import never_used
from scene_lightning.layers.base.legacy_spelling import old_keras


def closing_report(title: str, source: str) -> str:
    """What ran on this engine, which symbols were used, what was ignored, what was cut.

    Args:
        title: the program's name.
        source: its text: a star import asks for every name, and libraries ask for some, but only those that the program
            names are reported.
    """
    lines = [f"scene_lightning ran {title}: {_verbs()}."]
    named = names_in(source)
    symbols = {symbol for symbol in ledger.symbols if symbol.rpartition(".")[2] in named}
    lines.append(f"Keras and TensorFlow symbols used ({len(symbols)}): {', '.join(sorted(symbols)) or 'none'}.")
    if ledger.missing:
        lines.append(f"Imported, and not supported when used: {', '.join(sorted(ledger.missing))}.")
    if unused := never_used(source):
        lines.append(f"Imported and never used: {', '.join(unused)}.")
    if used := {old: modern for old, modern in ledger.aliases.items() if _last_word(old) in named}:
        lines.append(
            "Names that their libraries have removed, given back for this run: "
            + "; ".join(f"{old} (now {modern})" for old, modern in sorted(used.items()))
            + "."
        )
    ignored = "; ".join(f"{what} ({why})" for what, why in ledger.ignored.items())
    lines.append(f"Accepted and ignored: {ignored or 'nothing'}.")
    if old_keras.kernels:
        lines.append(
            f"Read as Keras before 2.4 did: {_counted(old_keras.kernels)} with a kernel of rows x columns, since the "
            f"program writes {', '.join(old_keras.evidence)}."
        )
    if ledger.limited:
        lines.append("Trial run, not the whole one:")
        lines.extend(f"- {cut}." for cut in ledger.limited)
    width = max(60, min(120, shutil.get_terminal_size((100, 20)).columns))
    wrapping = {"subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
    wrapped = (textwrap.fill(line, width, **wrapping) for line in lines)  # type: ignore[arg-type]
    return "\n".join(wrapped) + "\n"


def _last_word(name: str) -> str:
    """`plt.style.use('seaborn')` → `use`, `OneHotEncoder(sparse=)` → `OneHotEncoder`."""
    return name.partition("(")[0].rpartition(".")[2]


def _counted(calls: list[str]) -> str:
    return ", ".join(f"{call} {count}×" for call, count in Counter(calls).items())


def _verbs() -> str:
    counts = [f"{method} {count}×" for method, count in ledger.calls.items()]
    return ", ".join(counts) or "no fit, evaluate or predict"


def names_in(source: str) -> set[str]:
    """List every word of a program's text that may be a name.

    Args:
        source: the text.
    """
    return set(re.findall(r"[^\W\d]\w*", source))
