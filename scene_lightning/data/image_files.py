"""Opens image files with PIL: of any kind that it or a helper reads, within bounds, and turned as EXIF says."""

from __future__ import annotations

import io
import os
import pathlib
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError, features

from scene_lightning.data.members import BytesPath, MemberPath

LARGEST_FILE = 2**30  # bytes; PIL refuses more than 179 million pixels, which are a GiB in 16-bit RGB
# What cameras, phones and browsers make. PIL knows forty more, of which some start other programs (EPS: Ghostscript).
PHOTOGRAPHS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM")
HEIF_CURE = "HEIC images are read by pillow-heif"
AVIF_CURE = "AVIF images are read by Pillow 11.3 or newer"
# EXIF's orientation → what turns the picture upright; 1 is upright already.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def opened(path: Any) -> Image.Image:
    """The image of a file, read whole; PIL decodes it when its pixels are asked for.

    Args:
        path: a path, pathlib.Path or io.BytesIO.
    """
    if isinstance(path, io.BytesIO):
        return identify(path)
    if isinstance(path, BytesPath):
        image = identify(io.BytesIO(path.read_bytes()))
        if not isinstance(path, MemberPath) and image.format not in PHOTOGRAPHS:
            raise UnidentifiedImageError(f"it is {image.format}, which is read from files of your own alone")
        return image
    if isinstance(path, pathlib.Path | bytes | str):
        with open(path, "rb") as file:
            if (size := os.fstat(file.fileno()).st_size) > LARGEST_FILE:
                raise OSError(f"it has {size} bytes, and an image file at most {LARGEST_FILE}")
            return identify(io.BytesIO(file.read()))
    raise TypeError(f"path should be path-like or io.BytesIO, not {type(path)}")


def identify(file: io.BytesIO) -> Image.Image:
    """`Image.open`, with the cure in the error for what PIL lacks a reader of.

    Args:
        file: the bytes of an image file.
    """
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        brands = file.getvalue()[4:64]
        if not brands:
            raise UnidentifiedImageError("the file is empty") from None
        if not brands.startswith(b"ftyp"):
            raise
        if b"avif" in brands or b"avis" in brands:
            if features.check("avif"):
                raise
            raise UnidentifiedImageError(f"{AVIF_CURE}: pip install -U pillow") from None
        if b"hei" in brands or b"hev" in brands or b"mif1" in brands or b"msf1" in brands:
            return _heif(file)
        raise


def _heif(file: io.BytesIO) -> Image.Image:
    try:
        import pillow_heif
    except ImportError:
        raise UnidentifiedImageError(f"{HEIF_CURE}: pip install 'scene-lightning[heif]'") from None
    pillow_heif.register_heif_opener()
    file.seek(0)
    return Image.open(file)


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; the image itself where that is nothing or damaged.

    Args:
        image: as PIL opened it.
    """
    image.load()  # the readers of TIFF and HEIC turn it themselves, and then forget the orientation
    turn = _TURNS.get(exif_orientation(image))
    return image if turn is None else image.transpose(turn)


def header_size(path: str) -> tuple[int, int]:
    """Read (height, width) of the upright picture from the file's header alone. Raises what PIL raises.

    Args:
        path: the file.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(path.read_bytes()) if isinstance(path, BytesPath) else path)
    except UnidentifiedImageError:
        image = opened(path)
    with image:
        turned = image.format != "TIFF" and exif_orientation(image) >= 5  # the reader of TIFF gives the turned size
        return (image.width, image.height) if turned else (image.height, image.width)


def exif_orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none or the EXIF block is damaged.

    Args:
        image: as PIL opened it, before its pixels are loaded.
    """
    if image.format == "JPEG" and not ("exif" in image.info or "xmp" in image.info):
        return 1  # to ask `getexif` for nothing takes as long as a twentieth of the decoding
    try:
        exif = Image.Image.getexif(image)  # a PNG's own would decode the pixels first
        value = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # whatever PIL trips over in a damaged block: the picture itself is sound
        return 1
    return value if value in _TURNS else 1
