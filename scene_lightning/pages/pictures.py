"""Makes small pictures of image files that a page can hold, as data URLs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from scene_lightning.data.decode import default_threads, open_as_seen


def data_url(image: Image.Image, *, side: int, quality: int, kind: str = "JPEG") -> str:
    """A small picture as a data URL.

    Args:
        image: the picture; it is not changed.
        side: pixels of the longer side, at most.
        quality: of the compression, 1 to 100.
        kind: "JPEG", "WEBP" (smaller) or "PNG".
    """
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    small.save(memory, kind, quality=quality)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(memory.getvalue()).decode()}"


def picture_of(path: Any, *, side: int, quality: int, kind: str = "JPEG") -> str:
    """The small picture of an image file, upright; "" where the file cannot be read any more.

    Args:
        path: of the file.
        side, quality, kind: as for `data_url`.
    """
    try:
        return data_url(open_as_seen(path, side), side=side, quality=quality, kind=kind)
    except Exception:  # PIL's readers raise whatever their parsing meets
        return ""


def pictures_of(paths: Sequence[Any], *, side: int, quality: int, kind: str = "JPEG") -> dict[Any, str]:
    """The small pictures of many image files, by path; "" for a file that cannot be read any more.

    Args:
        paths: of the files.
        side, quality, kind: as for `data_url`.
    """
    with ThreadPoolExecutor(default_threads()) as readers:
        drawn = readers.map(lambda path: picture_of(path, side=side, quality=quality, kind=kind), paths)
        return dict(zip(paths, drawn, strict=True))
