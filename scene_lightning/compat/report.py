"""The ledger in; the closing report, a few lines of text, out."""

from __future__ import annotations

import shutil
import textwrap
from types import CodeType

from scene_lightning.training.ledger import ledger


def closing_report(title: str = "notebook", code: CodeType | None = None) -> str:
    """What ran on this engine, which symbols were used, what was ignored, what was cut.

    Args:
        code: the program; a star import asks for every name, but only those that the program names are reported.
    """
    lines = [f"scene_lightning ran {title}: {_verbs()}."]
    named = None if code is None else names_in(code)
    symbols = {symbol for symbol in ledger.symbols if named is None or symbol.rpartition(".")[2] in named}
    lines.append(f"Keras and TensorFlow symbols used ({len(symbols)}): {', '.join(sorted(symbols)) or 'none'}.")
    if ledger.missing:
        lines.append(f"Imported, and not supported when used: {', '.join(sorted(ledger.missing))}.")
    ignored = "; ".join(f"{what} ({why})" for what, why in ledger.ignored.items())
    lines.append(f"Accepted and ignored: {ignored or 'nothing'}.")
    if ledger.limited:
        lines.append("Trial run, not the whole one:")
        lines.extend(f"- {cut}." for cut in ledger.limited)
    width = max(60, min(120, shutil.get_terminal_size((100, 20)).columns))
    wrapped = (textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False) for line in lines)
    return "\n".join(wrapped) + "\n"


def _verbs() -> str:
    counts = [f"{verb} {count}×" for verb, count in ledger.verbs.items()]
    return ", ".join(counts) or "no fit, evaluate or predict"


def names_in(code: CodeType) -> set[str]:
    """Every name that a program's code mentions."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= names_in(constant)
        elif isinstance(constant, tuple):
            found.update(item for item in constant if isinstance(item, str))  # from x import a, b
    return found
