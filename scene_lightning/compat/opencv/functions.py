"""The few functions of OpenCV that programs prepare images with, where `cv2` is not installed: files, sizes, colours.

Colours stand in OpenCV's order (blue, green, red). JPEGs and the sizes of 8-bit images are OpenCV's own to one level in
a few pixels of a thousand (tested against OpenCV 5.0). Everything else says that it needs the real package.
"""

from __future__ import annotations

import io
import os
from typing import Any, NoReturn

import numpy as np
import torch
from PIL import Image, ImageOps

from scene_lightning._unsupported import where_in_script
from scene_lightning._usage_report import ledger
from scene_lightning.compat.opencv.resize import INTER_AREA, INTER_CUBIC, INTER_LINEAR, INTER_NEAREST, error, resize
from scene_lightning.errors import UnsupportedError

__version__ = "4.12.0"  # whose names and numbers these are
IMREAD_UNCHANGED, IMREAD_GRAYSCALE, IMREAD_COLOR, IMREAD_COLOR_BGR, IMREAD_COLOR_RGB = -1, 0, 1, 1, 256
IMREAD_ANYCOLOR, IMREAD_ANYDEPTH = 4, 2
ROTATE_90_CLOCKWISE, ROTATE_180, ROTATE_90_COUNTERCLOCKWISE = 0, 1, 2
BORDER_CONSTANT, BORDER_REPLICATE, BORDER_REFLECT, BORDER_WRAP, BORDER_REFLECT_101 = 0, 1, 2, 3, 4
BORDER_DEFAULT = BORDER_REFLECT101 = BORDER_REFLECT_101
IMWRITE_JPEG_QUALITY, IMWRITE_PNG_COMPRESSION = 1, 16
CV_LOAD_IMAGE_GRAYSCALE, CV_LOAD_IMAGE_COLOR = 0, 1
COLOR_BGR2RGB = COLOR_RGB2BGR = 4
COLOR_BGR2GRAY, COLOR_RGB2GRAY, COLOR_BGRA2GRAY, COLOR_RGBA2GRAY = 6, 7, 10, 11
COLOR_GRAY2BGR = COLOR_GRAY2RGB = 8
COLOR_GRAY2BGRA = COLOR_GRAY2RGBA = 9
COLOR_BGR2BGRA = COLOR_RGB2RGBA = 0
COLOR_BGR2RGBA = COLOR_RGB2BGRA = 2
COLOR_BGRA2BGR = COLOR_RGBA2RGB = 1
COLOR_BGRA2RGB = COLOR_RGBA2BGR = 3
COLOR_BGRA2RGBA = COLOR_RGBA2BGRA = 5

_FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip


def imread(filename: Any, flags: int = IMREAD_COLOR) -> np.ndarray | None:
    """Read a file's pixels: uint8 (H, W, 3) in blue, green, red, or (H, W) grey; None where no image can be read.

    Args:
        filename: the file.
        flags: an IMREAD_ constant.
    """
    return _read(os.fspath(filename), flags)


def imdecode(buf: Any, flags: int = IMREAD_COLOR) -> np.ndarray | None:
    """Decode a file's bytes, as `imread` does.

    Args:
        buf: the bytes, as an array or a buffer.
        flags: an IMREAD_ constant.
    """
    return _read(io.BytesIO(np.asarray(buf, np.uint8).tobytes()), flags)


def _read(source: Any, flags: int) -> np.ndarray | None:
    try:
        with Image.open(source) as image:
            return _pixels(image, flags)
    except OSError:  # Pillow's own error for what is no image is one, too
        return None


def _pixels(image: Image.Image, flags: int) -> np.ndarray:
    if flags == IMREAD_UNCHANGED:
        mode = "RGBA" if image.mode in ("P", "PA") and "transparency" in image.info else image.mode
        kept = image if mode in ("L", "RGB", "RGBA") or mode.startswith("I") else image.convert("RGB")
        return _as_stored(np.array(kept if kept.mode == mode or mode == "P" else kept.convert(mode)))
    grey = not flags & (IMREAD_COLOR | IMREAD_ANYCOLOR | IMREAD_COLOR_RGB)
    if grey and image.format == "JPEG":
        image.draft("L", image.size)  # the grey levels of the file itself, as OpenCV takes them
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I"):  # 16 bits: the upper eight
        levels = (np.array(turned).astype(np.uint32) >> 8).astype(np.uint8)
        return levels if grey else np.repeat(levels[..., None], 3, axis=2)
    if grey:
        return np.array(turned) if turned.mode == "L" else cvtColor(np.array(turned.convert("RGB")), COLOR_RGB2GRAY)
    rgb = np.array(turned.convert("RGBA").convert("RGB") if turned.mode == "P" else turned.convert("RGB"))
    return rgb if flags & IMREAD_COLOR_RGB else _as_stored(rgb)


def _as_stored(pixels: np.ndarray) -> np.ndarray:
    """Red, green, blue ↔ blue, green, red; a fourth channel stays where it is."""
    if pixels.ndim < 3:
        return pixels
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.ascontiguousarray(pixels[..., order])


def imwrite(filename: Any, img: Any, params: Any = None) -> bool:
    """Write pixels (in blue, green, red) as a file of the kind that its name says; False where it cannot be written.

    Args:
        filename: the file.
        img: (H, W) or (H, W, 1, 3 or 4), 0..255.
        params: pairs of an IMWRITE_ constant and its value.
    """
    content = imencode(os.path.splitext(os.fspath(filename))[1], img, params)[1]
    try:
        with open(filename, "wb") as file:
            file.write(content.tobytes())
    except OSError:
        return False
    return True


def imencode(ext: str, img: Any, params: Any = None) -> tuple[bool, np.ndarray]:
    """Encode pixels as the bytes of a file; returns that it worked, and the bytes.

    Args:
        ext: the kind, ".jpg".
        img: (H, W) or (H, W, 1, 3 or 4), 0..255.
        params: pairs of an IMWRITE_ constant and its value.
    """
    kind = _FORMATS.get(ext.lower())
    if kind is None:
        raise error(f"could not find a writer for the specified extension {ext!r}")
    pixels = np.asarray(img)
    if pixels.dtype != np.uint8:
        pixels = np.clip(np.rint(pixels.astype(np.float64)), 0, 255).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    given = dict(zip(list(params or [])[::2], list(params or [])[1::2], strict=True))
    options = {"quality": int(given.get(IMWRITE_JPEG_QUALITY, 95))} if kind == "JPEG" else {}
    image = Image.fromarray(_as_stored(pixels))
    content = io.BytesIO()
    (image.convert("RGB") if kind == "JPEG" and image.mode == "RGBA" else image).save(content, kind, **options)
    return True, np.frombuffer(content.getvalue(), np.uint8).copy()


def cvtColor(src: Any, code: int, dst: Any = None, dstCn: int = 0) -> np.ndarray:
    """Convert pixels to other colours: grey levels, channels in another order, with or without a fourth.

    Args:
        src: (H, W) or (H, W, C).
        code: a COLOR_ constant.
        dst, dstCn: ignored.
    """
    pixels = np.asarray(src) if src is not None else None
    if pixels is None or not pixels.size:
        raise error("(-215:Assertion failed) !_src.empty() in function 'cvtColor'")
    if code in (COLOR_GRAY2BGR, COLOR_GRAY2BGRA):
        grey = pixels[..., 0] if pixels.ndim == 3 else pixels
        return _with_alpha(np.repeat(grey[..., None], 3, axis=2), code == COLOR_GRAY2BGRA)
    wanted = 4 if code in (COLOR_BGRA2BGR, COLOR_BGRA2RGB, COLOR_BGRA2RGBA, COLOR_BGRA2GRAY, COLOR_RGBA2GRAY) else 3
    if pixels.ndim != 3 or (pixels.shape[2] != wanted and not (wanted == 3 and pixels.shape[2] == 4)):
        raise error(f"Invalid number of channels in input image: expected {wanted}, received shape {pixels.shape}.")
    if code in (COLOR_BGR2GRAY, COLOR_BGRA2GRAY):
        return _grey(pixels[..., 2], pixels[..., 1], pixels[..., 0])
    if code in (COLOR_RGB2GRAY, COLOR_RGBA2GRAY):
        return _grey(pixels[..., 0], pixels[..., 1], pixels[..., 2])
    if code in (COLOR_BGR2RGB, COLOR_BGRA2RGB, COLOR_BGR2RGBA):
        return _with_alpha(pixels[..., 2::-1], code == COLOR_BGR2RGBA)
    if code == COLOR_BGRA2RGBA:
        return np.ascontiguousarray(pixels[..., [2, 1, 0, 3]])
    if code in (COLOR_BGRA2BGR, COLOR_BGR2BGRA):
        return _with_alpha(pixels[..., :3], code == COLOR_BGR2BGRA)
    _refuse(f"cvtColor(code={code})")


def _grey(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    if red.dtype != np.uint8:
        return (red * 0.299 + green * 0.587 + blue * 0.114).astype(red.dtype)
    weighted = red.astype(np.int32) * 9798 + green.astype(np.int32) * 19235 + blue.astype(np.int32) * 3735
    return ((weighted + (1 << 14)) >> 15).astype(np.uint8)


def _with_alpha(pixels: np.ndarray, alpha: bool) -> np.ndarray:
    if not alpha:
        return np.ascontiguousarray(pixels)
    full = 255 if pixels.dtype == np.uint8 else 1
    return np.concatenate([pixels, np.full_like(pixels[..., :1], full)], axis=2)


def flip(src: Any, flipCode: int, dst: Any = None) -> np.ndarray:
    """Flip upside down (0), left and right (1), or both (-1).

    Args:
        src: (H, W) or (H, W, C).
        flipCode: which.
        dst: ignored.
    """
    axes = (0,) if flipCode == 0 else (1,) if flipCode > 0 else (0, 1)
    return np.ascontiguousarray(np.flip(np.asarray(src), axes))


def rotate(src: Any, rotateCode: int, dst: Any = None) -> np.ndarray:
    """Turn by a quarter or a half.

    Args:
        src: (H, W) or (H, W, C).
        rotateCode: a ROTATE_ constant.
        dst: ignored.
    """
    turns = {ROTATE_90_CLOCKWISE: 3, ROTATE_180: 2, ROTATE_90_COUNTERCLOCKWISE: 1}[rotateCode]
    return np.ascontiguousarray(np.rot90(np.asarray(src), turns))


def transpose(src: Any, dst: Any = None) -> np.ndarray:
    """Exchange rows and columns.

    Args:
        src: (H, W) or (H, W, C).
        dst: ignored.
    """
    return np.ascontiguousarray(np.swapaxes(np.asarray(src), 0, 1))


def split(m: Any) -> tuple[np.ndarray, ...]:
    """Split into one (H, W) array for each channel.

    Args:
        m: (H, W) or (H, W, C).
    """
    pixels = np.asarray(m)
    return tuple(np.ascontiguousarray(part) for part in (np.moveaxis(pixels, 2, 0) if pixels.ndim == 3 else [pixels]))


def merge(mv: Any, dst: Any = None) -> np.ndarray:
    """Make one array of which (H, W) arrays are the channels.

    Args:
        mv: the channels.
        dst: ignored.
    """
    return np.dstack(list(mv))


def hconcat(src: Any, dst: Any = None) -> np.ndarray:
    """Put images side by side.

    Args:
        src: images of equal height.
        dst: ignored.
    """
    return np.concatenate(list(src), axis=1)


def vconcat(src: Any, dst: Any = None) -> np.ndarray:
    """Put images one below the other.

    Args:
        src: images of equal width.
        dst: ignored.
    """
    return np.concatenate(list(src), axis=0)


_BORDERS = {
    BORDER_REPLICATE: "edge", BORDER_REFLECT: "symmetric", BORDER_WRAP: "wrap", BORDER_REFLECT_101: "reflect",
}  # fmt: skip


def copyMakeBorder(
    src: Any, top: int, bottom: int, left: int, right: int, borderType: int, dst: Any = None, value: Any = 0
) -> np.ndarray:
    """Put a border around the image: of one colour, or continued.

    Args:
        src: (H, W) or (H, W, C).
        top, bottom, left, right: its widths in pixels.
        borderType: a BORDER_ constant.
        dst: ignored.
        value: the colour for BORDER_CONSTANT, one number or one a channel.
    """
    pixels = np.asarray(src)
    margins = [(top, bottom), (left, right), (0, 0)][: pixels.ndim]
    if borderType != BORDER_CONSTANT:
        return np.pad(pixels, margins, mode=_BORDERS[borderType])  # type: ignore[call-overload,no-any-return]
    height, width = pixels.shape[0] + top + bottom, pixels.shape[1] + left + right
    colour = np.zeros(4) if value is None else np.resize(np.append(np.atleast_1d(value), np.zeros(3)), 4)
    framed = np.empty((height, width, *pixels.shape[2:]), pixels.dtype)
    framed[...] = colour[: pixels.shape[2]] if pixels.ndim == 3 else colour[0]
    framed[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return framed


def addWeighted(src1: Any, alpha: float, src2: Any, beta: float, gamma: float, dst: Any = None) -> np.ndarray:
    """Mix two images: `src1 · alpha + src2 · beta + gamma`, within the range of the type.

    Args:
        src1: an image.
        alpha: its weight.
        src2: an image of the same shape.
        beta: its weight.
        gamma: what is added.
        dst: ignored.
    """
    first = np.asarray(src1)
    mixed = first.astype(np.float64) * alpha + np.asarray(src2, np.float64) * beta + gamma
    if first.dtype == np.uint8:
        return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return mixed.astype(first.dtype)


def setNumThreads(nthreads: int) -> None:
    """Set torch's number of threads.

    Args:
        nthreads: how many; 0 and less change nothing.
    """
    if nthreads > 0:
        torch.set_num_threads(int(nthreads))


def imshow(winname: str, mat: Any) -> None:
    """Do nothing: there is no screen.

    Args:
        winname, mat: ignored.
    """
    ledger.ignore("cv2.imshow", "there is no screen")


def waitKey(delay: int = 0) -> int:
    """Return -1: no key was pressed.

    Args:
        delay: ignored.
    """
    return -1


def destroyAllWindows() -> None:
    """There are none."""


def _refuse(what: str) -> NoReturn:
    raise UnsupportedError(
        f"cv2.{what} needs OpenCV, which is not installed{where_in_script()}: pip install "
        "opencv-python-headless. Without it the runner has only the reading, writing, resizing, colours, turns and "
        "borders of images."
    )


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    _refuse(name)


__all__ = [
    "INTER_AREA", "INTER_CUBIC", "INTER_LINEAR", "INTER_NEAREST", "addWeighted", "copyMakeBorder", "cvtColor",
    "destroyAllWindows", "error", "flip", "hconcat", "imdecode", "imencode", "imread", "imshow", "imwrite", "merge",
    "resize", "rotate", "setNumThreads", "split", "transpose", "vconcat", "waitKey",
]  # fmt: skip
