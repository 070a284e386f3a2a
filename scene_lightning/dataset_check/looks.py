"""Judges single images: damage, formats and colours that training reads otherwise, and what can hardly be seen.

The thresholds of dark, overexposed, low_information, blurred and odd_proportions are CleanVision's (0.3.7).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from scene_lightning.data.scan import is_image_name
from scene_lightning.dataset_check.examine import FileFacts
from scene_lightning.dataset_check.findings import Finding
from scene_lightning.dataset_check.tree import FileEntry

DARK, OVEREXPOSED, LOW_INFORMATION, BLURRED, ODD_PROPORTIONS = 0.32, 0.05, 3.0, 0.29, 0.35
ODD_SIZE_FACTOR = 3.0  # interquartile ranges
TINY, HUGE = 32, 8192  # pixels of the shorter, the longer side
_DEEP = ("I", "F")
_TURNED = {
    2: "mirrored", 3: "upside down", 4: "upside down and mirrored", 5: "on its side and mirrored", 6: "on its side",
    7: "on its side and mirrored", 8: "on its side",
}  # fmt: skip


def find_odd_images(files: Sequence[FileEntry], facts: Sequence[FileFacts]) -> list[Finding]:
    """What there is to say of each file by itself, and of its size beside those of the others.

    Args:
        files: the files of a data folder.
        facts: what is known of each.
    """
    findings = []
    for entry, one in zip(files, facts, strict=True):
        for kind, reason, figures in _judged(entry, one):
            findings.append(Finding(kind, reason, (entry.path,), (entry.class_name,), (entry.split,), figures))
    return [*findings, *_odd_sizes(files, facts)]


_Judgement = tuple[str, str, dict[str, float]]


def _judged(entry: FileEntry, facts: FileFacts) -> Iterator[_Judgement]:
    if not is_image_name(entry.path):
        readable = facts.fault is None and facts.format
        if readable and not os.path.basename(entry.path).startswith("."):
            yield "unlisted_extension", f"It is {facts.format}, under a name that training does not look for.", {}
        else:
            yield "other_file", "It has no name of an image.", {}
    elif facts.fault is not None:
        yield facts.fault, facts.reason, {}
    else:
        yield from _stored(entry, facts)
        yield from _seen(facts)


def _stored(entry: FileEntry, facts: FileFacts) -> Iterator[_Judgement]:
    extension = os.path.splitext(entry.path)[1].lower()
    if facts.format != "MPO" and Image.registered_extensions().get(extension, facts.format) != facts.format:
        yield "wrong_extension", f"It is {facts.format}, and is called {extension}.", {}
    if facts.animated:
        kind = "multi_page" if facts.format == "TIFF" else "animated"
        yield kind, f"The {facts.format} has several {'pages' if kind == 'multi_page' else 'frames'}.", {}
    if facts.orientation != 1:
        reason = f"It is stored {_TURNED[facts.orientation]} (EXIF orientation {facts.orientation})."
        yield "exif_rotation", reason, {"orientation": facts.orientation}
    if facts.transparent:
        yield "transparency", f"It has transparent parts or a channel for them (mode {facts.mode}).", {}
    if facts.mode in ("CMYK", "YCCK"):
        yield "cmyk", "Its colours are those of print (CMYK).", {}
    if facts.mode.startswith(_DEEP):
        yield "sixteen_bit", f"It has more than 8 bits a pixel (mode {facts.mode}).", {}
    if facts.mode in ("P", "PA"):
        yield "palette", "Its colours are those of a palette.", {}
    if facts.mode in ("1", "L", "LA", "La"):
        yield "greyscale", "It has no colours.", {}


def _seen(facts: FileFacts) -> Iterator[_Judgement]:
    size = f"{facts.width} × {facts.height} pixels"
    if facts.brightest < DARK:
        yield "dark", f"99 % of it are darker than {facts.brightest:.2f} of white.", {"brightness": facts.brightest}
    if 1 - facts.darkest < OVEREXPOSED:
        yield "overexposed", f"95 % of it are brighter than {facts.darkest:.2f}.", {"brightness": facts.darkest}
    if facts.entropy < LOW_INFORMATION:
        yield "low_information", f"Its histogram holds {facts.entropy:.1f} bits.", {"entropy": facts.entropy}
    if facts.sharpness < BLURRED:
        yield "blurred", f"Its edges are weak (sharpness {facts.sharpness:.2f}).", {"sharpness": facts.sharpness}
    if min(facts.width, facts.height) < TINY:
        yield "tiny", f"It has {size}.", {"width": facts.width, "height": facts.height}
    if max(facts.width, facts.height) > HUGE:
        yield "huge", f"It has {size}.", {"width": facts.width, "height": facts.height}
    shorter, longer = sorted((facts.width, facts.height))
    if shorter / longer < ODD_PROPORTIONS:
        yield "odd_proportions", f"It has {size}.", {"proportion": round(shorter / longer, 4)}


def _odd_sizes(files: Sequence[FileEntry], facts: Sequence[FileFacts]) -> list[Finding]:
    """Sizes (square roots of areas) far from those of the others: beyond 3 interquartile ranges of the quartiles."""
    sound = [
        position for position, one in enumerate(facts) if one.fault is None and is_image_name(files[position].path)
    ]
    if len(sound) < 4:
        return []
    sizes = np.sqrt([facts[position].width * facts[position].height for position in sound])
    lower, upper = np.percentile(sizes, (25, 75))
    reach = ODD_SIZE_FACTOR * max(upper - lower, 0.1 * lower)  # where all are equal, a tenth more is not odd yet
    findings = []
    for position, size in zip(sound, sizes.tolist(), strict=True):
        if not lower - reach <= size <= upper + reach:
            entry, one = files[position], facts[position]
            reason = f"It has {one.width} × {one.height} pixels; most have about {(lower + upper) / 2:.0f} a side."
            findings.append(Finding("odd_size", reason, (entry.path,), (entry.class_name,), (entry.split,)))
    return findings
