"""Examines one image file: digests, a full decode, its format and colours, how it looks, and a perceptual hash.

The measures of darkness, overexposure, blur and information, with their thresholds in `looks.py`, are CleanVision's
(cleanvision 0.3.7, `issue_managers/image_property.py`), computed here from the one decode that finds damage too.
"""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageStat, UnidentifiedImageError

from scene_lightning.data.decode import as_seen
from scene_lightning.data.image_files import AVIF_CURE, HEIF_CURE, exif_orientation, identify

HASH_BITS = 256
_HASH_SIDE, _HASH_INPUT = 16, 64  # imagehash.phash(hash_size=16): 16 × 16 low frequencies of a 64 × 64 image
_BLUR_SIDE = 64  # CleanVision's MAX_RESOLUTION_FOR_BLURRY_DETECTION
_LOOK_SIDE = 512  # brightness and entropy of larger images are measured on a reduced one
_LARGE_FILE = 256 * 2**20  # bytes; larger files are not read into memory whole
# PIL would hand these to another program, or cannot draw them by itself.
_DOCUMENTS = {"EPS", "WMF", "PDF", "BUFR", "GRIB", "HDF5", "FPX", "MIC"}
_BEGINNINGS = {
    b"%PDF": "a PDF document", b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip archive", b"Rar!": "a RAR archive",
    b"\xff\xd8\xff": "a damaged JPEG", b"\x89PNG": "a damaged PNG", b"GIF8": "a damaged GIF", b"BM": "a damaged BMP",
    b"II*\x00": "a damaged TIFF", b"MM\x00*": "a damaged TIFF", b"\x7fELF": "a program", b"MZ": "a program",
    b"\x00\x05\x16\x07": "a Mac's resource file",
}  # fmt: skip
_one_large_image = threading.Lock()


@dataclass(frozen=True)
class FileFacts:
    """What is known of one file.

    Attributes:
        digest: BLAKE2b (64 bits, hexadecimal) of its bytes; "" where it could not be read. As in a run's images.csv.
        fault: the kind of finding that keeps it from being read; None for a sound image.
        reason: of the fault, in a sentence.
        pixels: the same digest of its size and RGB values, as people see it: upright, on one background.
        perceptual: perceptual hash of 256 bits, hexadecimal; "" for an image too plain to have one.
        format, mode: as PIL calls them.
        width, height: pixels, as stored.
        animated: whether it has several frames or pages.
        transparent: whether it has an alpha channel or a transparent colour.
        orientation: EXIF's; 1 is upright.
        brightest, darkest: the 99th and the 5th percentile of brightness, 0..1.
        entropy: of its histogram, in bits.
        sharpness: CleanVision's blur score, 0..1; higher is sharper.
    """

    digest: str = ""
    fault: str | None = None
    reason: str = ""
    pixels: str = ""
    perceptual: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    animated: bool = False
    transparent: bool = False
    orientation: int = 1
    brightest: float = 1.0
    darkest: float = 0.0
    entropy: float = 8.0
    sharpness: float = 1.0


def examine(path: str, size: int, decode: bool = True) -> FileFacts:
    """Read one regular file.

    Args:
        path: where it lies.
        size: its bytes.
        decode: False only looks whether it begins as an image does.

    Returns:
        Its facts; nothing that a file holds raises an exception.
    """
    if not size:
        return FileFacts(fault="empty_file", reason="The file is empty.")
    try:
        source, digest, start = _contents(path, size)
    except OSError as error:
        return FileFacts(fault="unreadable", reason=f"{error.strerror or error}.")
    try:
        with identify(source) if isinstance(source, io.BytesIO) else Image.open(source) as image:
            if image.format in _DOCUMENTS:
                return FileFacts(digest, "not_an_image", f"It is {image.format}, which is no photograph.")
            header = _header(image)
            if not decode:
                return FileFacts(digest, **header)
            return _decoded(image, digest, header)
    except UnidentifiedImageError as error:
        if str(error).startswith((HEIF_CURE, AVIF_CURE)):  # a format that needs a package which is not there
            return FileFacts(digest, "unreadable", f"{error}.")
        return FileFacts(digest, "not_an_image", f"It is {_what_it_is(start)}.")
    except Image.DecompressionBombError as error:
        return FileFacts(digest, "decompression_bomb", f"{str(error).partition(',')[0]}.")
    except MemoryError:
        return FileFacts(digest, "decompression_bomb", "It does not fit into memory.")
    except Exception as error:  # PIL's readers raise whatever their parsing meets: struct.error, IndexError, …
        message = str(error) or type(error).__name__
        ends_early = any(word in message.lower() for word in ("truncated", "broken data stream", "unexpected end"))
        return FileFacts(digest, "truncated" if ends_early else "unreadable", f"{message.rstrip('.')}.")


def _contents(path: str, size: int) -> tuple[Any, str, bytes]:
    """What PIL can open, the digest, and the first bytes."""
    digest = hashlib.blake2b(digest_size=8)
    with open(path, "rb") as file:
        if size <= _LARGE_FILE:
            raw = file.read(_LARGE_FILE)
            digest.update(raw)
            return io.BytesIO(raw), digest.hexdigest(), raw[:512]
        start = file.read(512)
        digest.update(start)
        while block := file.read(2**20):
            digest.update(block)
    return path, digest.hexdigest(), start


def _what_it_is(start: bytes) -> str:
    if not start.strip(b"\x00"):
        return "nothing but zeros"
    for beginning, what in _BEGINNINGS.items():
        if start.startswith(beginning):
            return what
    if start[4:8] == b"ftyp":
        return f"a video or a {start[8:12].decode('latin-1').strip()} image, which this PIL cannot read"
    try:
        text = start.decode("utf-8", "strict" if len(start) < 512 else "ignore").lstrip("\ufeff \n\r\t")
    except UnicodeDecodeError:
        return "no image, or in a format that PIL does not know"
    if text.lower().startswith(("<!doctype html", "<html")):
        return "a web page"
    if text.lower().startswith("<svg") or (text.startswith("<?xml") and "<svg" in text):
        return "an SVG drawing"
    return "a text" if text.isprintable() or "\n" in text else "no image, or in a format that PIL does not know"


def _header(image: Image.Image) -> dict[str, Any]:
    return {
        "format": image.format or "",
        "mode": image.mode,
        "width": image.width,
        "height": image.height,
        "transparent": "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info,
        "orientation": exif_orientation(image),
    }


def _decoded(image: Image.Image, digest: str, header: dict[str, Any]) -> FileFacts:
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 2**26) // 2:
        with _one_large_image:  # several at once could fill the memory
            return _facts(image, digest, header)
    return _facts(image, digest, header)


def _facts(image: Image.Image, digest: str, header: dict[str, Any]) -> FileFacts:
    rgb = as_seen(image)
    pixels = hashlib.blake2b(repr(rgb.size).encode(), digest_size=8)
    pixels.update(rgb.tobytes())
    # A phone's JPEG with a preview is no album
    animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
    small = _at_most(rgb, _LOOK_SIDE, Image.Resampling.BOX)
    brightest, darkest = _brightness(small)
    return FileFacts(
        digest, pixels=pixels.hexdigest(), perceptual=perceptual_hash(rgb), animated=animated, brightest=brightest,
        darkest=darkest, entropy=round(small.entropy(), 4), sharpness=_sharpness(rgb), **header,
    )  # fmt: skip


def _at_most(image: Image.Image, side: int, how: Image.Resampling) -> Image.Image:
    ratio = max(image.size) / side
    if ratio <= 1:
        return image
    return image.resize((max(int(image.width // ratio), 1), max(int(image.height // ratio), 1)), how)


def _brightness(image: Image.Image) -> tuple[float, float]:
    """The 99th and 5th percentile of sqrt(0.241 R² + 0.691 G² + 0.068 B²) / 255."""
    values = np.asarray(image, dtype=np.float32).reshape(-1, 3)
    squared = np.square(values) @ np.array([0.241, 0.691, 0.068], dtype=np.float32)
    high, low = np.percentile(squared, (99, 5))
    return round(float(np.sqrt(high)) / 255, 4), round(float(np.sqrt(low)) / 255, 4)


def _sharpness(rgb: Image.Image) -> float:
    """CleanVision's blur score: the spread of the edges, and of the histogram where that is wide."""
    grey = _at_most(rgb, _BLUR_SIDE, Image.Resampling.BICUBIC).convert("L")
    edges = np.sqrt(ImageStat.Stat(grey.filter(ImageFilter.FIND_EDGES)).var[0])
    spread = 1 - np.exp(-0.01 * np.std(grey.histogram()))
    return round(float(min(1 - np.exp(-0.01 * edges) + (spread if spread > 0.18 else 0), 1)), 4)


def _cosines() -> NDArray[np.float32]:
    """(16, 64): the first rows of the discrete cosine transform (type II)."""
    angles = np.arange(_HASH_SIDE)[:, None] * (2 * np.arange(_HASH_INPUT)[None] + 1)
    return np.cos(np.pi * angles / (2 * _HASH_INPUT)).astype(np.float32)


_COSINES = _cosines()


def perceptual_hash(image: Image.Image) -> str:
    """The perceptual hash (pHash) of 256 bits, hexadecimal; "" for an image without structure.

    The 16 × 16 lowest frequencies of the 64 × 64 grey image: each bit says whether one is above their median. Source:
    hackerfactor.com, "Looks Like It" (2011), as imagehash's `phash(hash_size=16)`.

    Args:
        image: in any of PIL's modes.
    """
    grey = np.asarray(image.convert("L").resize((_HASH_INPUT, _HASH_INPUT), Image.Resampling.LANCZOS), np.float32)
    if grey.std() < 1.5:  # the frequencies of a plain surface are those of its noise
        return ""
    frequencies = _COSINES @ grey @ _COSINES.T
    return np.packbits(frequencies > np.median(frequencies)).tobytes().hex()
