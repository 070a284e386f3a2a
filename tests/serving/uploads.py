"""Image files as people send them, good and bad, in memory."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.conftest import picture

HEIC = Path(__file__).resolve().parents[1] / "fixtures" / "photograph.heic"


def photograph(seed: int = 0, kind: str = "JPEG", size: tuple[int, int] = (60, 80), **options: Any) -> bytes:
    """An image file of (height, width) pixels."""
    return saved(Image.fromarray(picture(*size, seed)), kind, **options)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    memory = io.BytesIO()
    image.save(memory, kind, **options)
    return memory.getvalue()


def odd_photographs() -> dict[str, bytes]:
    """What is answered, and could go wrong."""
    whole = Image.fromarray(picture(60, 80, 3))
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = whole.copy()
    clear.putalpha(Image.fromarray(picture(60, 80, 4)).convert("L"))
    others = [Image.fromarray(picture(60, 80, seed)) for seed in (5, 6)]
    deep = Image.fromarray((np.asarray(whole.convert("L")).astype(np.uint16)) * 257)
    return {
        "plain.jpg": saved(whole, "JPEG"),
        "plain.png": saved(whole, "PNG"),
        "plain.webp": saved(whole, "WEBP"),
        "cmyk.jpg": saved(whole.convert("CMYK"), "JPEG"),
        "turned.jpg": saved(whole, "JPEG", exif=turned),
        "clear.png": saved(clear, "PNG"),
        "palette.gif": saved(whole.quantize(32), "GIF"),
        "animated.gif": saved(whole, "GIF", save_all=True, append_images=others),
        "animated.webp": saved(whole, "WEBP", save_all=True, append_images=others),
        "deep.png": saved(deep, "PNG"),
        "grey.bmp": saved(whole.convert("L"), "BMP"),
        "pages.tiff": saved(whole, "TIFF", save_all=True, append_images=others),
        "phone.heic": HEIC.read_bytes(),
    }


def png_of(width: int, height: int) -> bytes:
    """A PNG file of some hundred bytes that says it has so many pixels."""
    rows = zlib.compress(bytes(1000))
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + rows, b"IEND"]
    parts = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
