"""Names that Pillow has removed since version 3: second names of resampling filters, the sizes of texts."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from scene_lightning.compat.removed.patching import Methods, Modern, Names, give_methods

NAMES: dict[str, Names] = {
    "PIL": dict.fromkeys(("PILLOW_VERSION", "VERSION"), "PIL.__version__"),
    "PIL.Image": {
        "ANTIALIAS": Modern("Image.LANCZOS", "PIL.Image.LANCZOS"),
        "LINEAR": Modern("Image.BILINEAR", "PIL.Image.BILINEAR"),
        "CUBIC": Modern("Image.BICUBIC", "PIL.Image.BICUBIC"),
        "fromstring": Modern("Image.frombytes", "PIL.Image.frombytes"),
        "isImageType": Modern("isinstance(image, Image.Image)", lambda t: hasattr(t, "getbands")),
        **dict.fromkeys(("PILLOW_VERSION", "VERSION"), "PIL.__version__"),
    },
}


def _size(font: Any, text: Any, *args: Any, **kwargs: Any) -> tuple[int, int]:
    left, _, right, bottom = font.getbbox(text, *args, **kwargs)
    return int(right - left), int(bottom)  # the height was counted from the line's top


def _lines(font: Any, text: Any, spacing: int) -> tuple[int, int]:
    """A text of several lines: each is as high as an "A"."""
    lines = text.split("\n" if isinstance(text, str) else b"\n")
    height = _size(font, "A")[1] + spacing
    return max(_size(font, line)[0] for line in lines), len(lines) * height - spacing


def _font(module: ModuleType) -> None:
    def getsize(font: Any) -> Any:
        return lambda text, *args, **kwargs: _size(font, text, *args, **kwargs)

    def getsize_multiline(font: Any) -> Any:
        return lambda text, direction=None, spacing=4, *_, **__: _lines(font, text, spacing)

    modern = "font.getbbox(text)"
    methods = {"getsize": (modern, getsize), "getsize_multiline": (modern, getsize_multiline)}
    for name in ("FreeTypeFont", "ImageFont", "TransposedFont"):
        give_methods(getattr(module, name), methods, "ImageFont")


def _textsize(draw: Any) -> Any:
    def measure(text: Any, font: Any = None, spacing: int = 4, *_: Any, **__: Any) -> tuple[int, int]:
        used = draw.getfont() if font is None else font
        several = ("\n" if isinstance(text, str) else b"\n") in text
        return _lines(used, text, spacing) if several else _size(used, text)

    return measure


METHODS: dict[str, dict[str, Methods]] = {
    "PIL.Image": {
        "Image": {
            "tostring": ("image.tobytes()", lambda image: image.tobytes),
            "fromstring": ("image.frombytes()", lambda image: image.frombytes),
        }
    },
    "PIL.ImageDraw": {
        "ImageDraw": dict.fromkeys(("textsize", "multiline_textsize"), ("draw.textbbox((0, 0), text)", _textsize))
    },
}
PATCHES = {"PIL.ImageFont": _font}
