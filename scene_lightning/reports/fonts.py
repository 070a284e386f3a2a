"""Finds fonts for pictures: DejaVu Sans, and the machine's own for letters that it lacks, as of Chinese and Korean."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# matplotlib is imported where it is needed: evaluations and predictions mostly draw nothing, and start sooner without.

# Beginnings of files' names in lower case, the first choices first: of Linux, macOS, Windows.
_PREFERRED = (
    "notosanscjk", "notosanssc", "notosansjp", "notosanskr", "sourcehansans", "wqy-microhei", "wqy-zenhei",
    "droidsansfallback", "ipaexg", "ipag", "nanumgothic", "pingfang", "hiragino", "ヒラギノ", "applesdgothicneo",
    "yugothm", "yugothr", "msyh", "meiryo", "malgun", "msgothic", "simsun", "arial unicode", "notosans",
)  # fmt: skip
_ODD = ("bold", "italic", "oblique", "light", "thin", "black", "mono", "serif")
_noted: list[str] = []


def font_for(text: str, size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font for Pillow that has a text's letters, as far as one of this machine's has them.

    Args:
        text: what is drawn.
        size: pixels.
        bold: whether it is heavier, where the font is there so.
    """
    missing = _missing(text)
    if not missing:
        return _opened(_dejavu(bold), size)
    wanted = {ord(letter) for letter in text}
    files = [*_fallbacks(missing), _dejavu()]
    best = max(files, key=lambda file: len(wanted & _letters(file)))
    heavier = best.replace("Regular", "Bold")
    return _opened(heavier if bold and os.path.isfile(heavier) else best, size)


def give_fonts(figure: Figure) -> None:
    """Let matplotlib draw a figure's texts with other fonts where DejaVu Sans lacks letters.

    Args:
        figure: with all its texts.
    """
    from matplotlib.text import Text

    texts = {text for text in figure.findobj(Text) if isinstance(text, Text)}
    for axes in figure.axes:
        texts.update(axes.get_xticklabels(), axes.get_yticklabels())  # made as they are asked for
    for text in texts:
        if missing := _missing(text.get_text()):
            text.set_fontfamily(["DejaVu Sans", *map(_family, _fallbacks(missing))])


def _missing(text: str) -> frozenset[int]:
    """The letters that DejaVu Sans lacks."""
    if text.isascii():
        return frozenset()
    return frozenset(ord(letter) for letter in text if letter.isprintable()) - _letters(_dejavu())


@cache
def _fallbacks(missing: frozenset[int]) -> tuple[str, ...]:
    """Files of fonts that have these letters together; a note where some are in none."""
    files, left = list[str](), missing
    for file in _installed():
        if left & _letters(file):
            files.append(file)
            left -= _letters(file)
        if not left:
            break
    if left and not _noted:
        letters = "".join(map(chr, sorted(left)[:8]))
        _noted.append(letters)
        cure = "Install one (Debian: apt-get install fonts-noto-cjk)"
        print(f"note: no font here has the letters {letters!r}: pictures show boxes. {cure}.", file=sys.stderr)
    return tuple(files)


@cache
def _installed() -> tuple[str, ...]:
    """The files of the machine's fonts, the best choices first."""
    from matplotlib.font_manager import findSystemFonts  # it reads an index of fonts, for other letters alone

    def rank(file: str) -> tuple[int, bool, str]:
        name = Path(file).name.lower()
        place = next((place for place, start in enumerate(_PREFERRED) if name.startswith(start)), len(_PREFERRED))
        return place, any(word in name for word in _ODD), file

    return tuple(sorted(findSystemFonts(), key=rank))


@cache
def _letters(file: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):  # damaged, or of bitmaps
        return frozenset()


@cache
def _family(file: str) -> str:
    """The name by which matplotlib then knows it."""
    from matplotlib.font_manager import fontManager
    from matplotlib.ft2font import FT2Font

    fontManager.addfont(file)
    return FT2Font(file).family_name


@cache
def _opened(file: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)


def _dejavu(bold: bool = False) -> str:
    """matplotlib brings it along: letters of most alphabets."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return os.path.join(matplotlib.get_data_path(), "fonts", "ttf", name)
