"""Keeps, with a model, which image files its training saw, and tells how many of other images were among them.

Images are known by the content of their files (eight bytes of BLAKE2b), whatever they are called and wherever they lie.
The record travels in the model's file as text; 25,000 images take 270 kB. A run writes it for people too: images.csv.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning._atomic_write import write_text
from scene_lightning.data.copies import file_digest
from scene_lightning.errors import FileFormatError
from scene_lightning.saving._files import parse_json_object

TRAINED, CHOSE, WATCHED, TAUGHT, CALIBRATED = "trained", "chose", "watched", "taught", "calibrated"
ROLES = (TRAINED, CHOSE, WATCHED, TAUGHT, CALIBRATED)
_HASH = "blake2b-64"
_READERS = 8  # reading waits for the disk, and hashing lets go of Python's lock
_GONE = 0  # in place of a digest
Digests = NDArray[np.uint64]


def digests_of(paths: Sequence[str]) -> Digests:
    """Hash what each file holds, (N,) uint64; 0 for one that cannot be read (any more).

    Args:
        paths: N files.
    """
    with ThreadPoolExecutor(_READERS) as readers:
        return np.fromiter(readers.map(_digest, paths), dtype=np.uint64, count=len(paths))


def _digest(path: str) -> int:
    try:
        return file_digest(path)
    except OSError:  # it has vanished meanwhile; who reads its pixels says so
        return _GONE


@dataclass(frozen=True)
class ImagesSeen:
    """What is known of a model's past.

    Attributes:
        roles: sorted digests by what the images did, one of `ROLES`: they were trained on; chose the epoch; were
            validated on and chose nothing; trained a teacher; set the temperature.
        complete: whether these are all images that it was trained on; for a file that says nothing they are not.
        teachers: whether what its teachers were trained on is known too.
    """

    roles: Mapping[str, Digests] = field(default_factory=dict)
    complete: bool = False
    teachers: bool = True

    @classmethod
    def of_model(cls, model: Any) -> ImagesSeen:
        """From a loaded model. Raises FileFormatError for a record that is damaged."""
        return cls.of_text(getattr(model, "_images_seen", None))

    @classmethod
    def of_text(cls, text: str | None) -> ImagesSeen:
        """From `as_text`; None is no record. Raises FileFormatError for one that is damaged."""
        if text is None:
            return cls()
        fields = parse_json_object(text, "images_seen")
        roles = fields.get("roles")
        flags = [flag for flag in (fields.get("complete"), fields.get("teachers")) if isinstance(flag, bool)]
        if fields.get("hash") != _HASH or not isinstance(roles, dict) or len(flags) != 2:
            raise FileFormatError(f"images_seen should hold roles of {_HASH} digests; received {text[:80]!r}.")
        return cls({role: _unpacked(roles[role]) for role in ROLES if role in roles}, *flags)

    def as_text(self) -> str:
        """For a model's file."""
        roles = {role: base64.b64encode(kept.astype(">u8").tobytes()).decode() for role, kept in self.roles.items()}
        return json.dumps({"hash": _HASH, "complete": self.complete, "teachers": self.teachers, "roles": roles})

    def and_also(self, role: str, digests: Digests, *, complete: bool | None = None) -> ImagesSeen:
        """With more images in a role; None leaves open or closed what was so."""
        none = np.empty(0, np.uint64)
        roles = {**self.roles, role: np.union1d(self.roles.get(role, none), digests)}
        if role == CHOSE and WATCHED in roles:  # a run that goes on: these have chosen something now
            roles[WATCHED] = np.setdiff1d(roles[WATCHED], digests)
        return replace(self, roles=roles, complete=self.complete if complete is None else complete)

    def after(self, earlier: ImagesSeen) -> ImagesSeen:
        """With what came before this training: the same weights, trained on other images."""
        complete, teachers = self.complete and earlier.complete, self.teachers and earlier.teachers
        seen = replace(self, complete=complete, teachers=teachers)
        for role, digests in earlier.roles.items():
            seen = seen.and_also(role, digests)
        return seen

    def taught_by(self, teacher: ImagesSeen) -> ImagesSeen:
        """With what a teacher was trained on, or was taught with: it passes that on."""
        seen = replace(self, teachers=self.teachers and teacher.complete and teacher.teachers)
        for role in (TRAINED, TAUGHT):
            seen = seen.and_also(TAUGHT, teacher.roles.get(role, np.empty(0, np.uint64)))
        return seen

    def among(self, paths: Sequence[str]) -> Overlap:
        """How many of these files were seen, and how; files are read only when something is known."""
        if not self.roles:
            return Overlap(len(paths), {}, len(paths), self.complete, self.teachers)
        digests = digests_of(paths)
        matches = {role: np.isin(digests, kept) & (digests != _GONE) for role, kept in self.roles.items()}
        neither = len(paths) - int(np.logical_or.reduce(list(matches.values())).sum())
        counts = {role: int(rows.sum()) for role, rows in matches.items()}
        return Overlap(len(paths), counts, neither, self.complete, self.teachers)


def _unpacked(text: Any) -> Digests:
    try:
        raw = base64.b64decode(text, validate=True)
        return np.frombuffer(raw, dtype=">u8").astype(np.uint64)
    except (TypeError, ValueError, binascii.Error) as error:
        raise FileFormatError(f"images_seen is damaged: {error}.") from error


@dataclass(frozen=True)
class Overlap:
    """How many of `images` a model's training saw, by role.

    Attributes:
        images: how many files were asked about.
        counts: role → how many of them have it.
        neither: how many have none.
        complete, teachers: as in `ImagesSeen`.
    """

    images: int
    counts: Mapping[str, int]
    neither: int
    complete: bool
    teachers: bool = True

    def count(self, role: str) -> int:
        return self.counts.get(role, 0)

    def as_dict(self) -> dict[str, Any]:
        """For --json: `known` says whether the model's file knows all that it was trained on, `teachers_known` the
        same of its teachers; counts are null where it says nothing."""
        silent = not self.complete and not self.counts
        counts = {role: None if silent else self.count(role) for role in ROLES}
        known = {"known": self.complete, "teachers_known": self.teachers}
        return {**known, **counts, "neither": None if silent else self.neither}

    @classmethod
    def of_dict(cls, images: int, counted: Mapping[str, Any]) -> Overlap:
        """Back from `as_dict`."""
        counts = {role: counted[role] for role in ROLES if counted[role] is not None}
        neither = images if counted["neither"] is None else counted["neither"]
        return cls(images, counts, neither, counted["known"], counted["teachers_known"])

    def in_words(self) -> str:
        """One sentence without its stop, for a terminal or a card."""
        trained = self.count(TRAINED)
        if self.complete:
            message = f"{self._share(trained)} trained on"
        elif trained:
            message = f"{self._share(trained)} trained on at least, for not all of its training is recorded"
        else:
            message = "it is not known whether the model was trained on any of them: its file does not say"
        more = [
            f"{self._share(self.count(role))} {did}"
            for role, did in (
                (CHOSE, "chose the epoch"),
                (WATCHED, "were validated on, and chose nothing"),
                (TAUGHT, "trained a teacher of it"),
                (CALIBRATED, "set its temperature"),
            )
            if self.count(role)
        ]
        if not self.teachers:
            more.append("what its teachers were trained on is not known")
        return "; ".join([message, *more])

    def caution(self) -> str:
        """What that means for figures measured on these images; nothing where they are as good as new."""
        if self.count(TRAINED) or self.count(TAUGHT):
            return "Figures on images that were trained on say little about new ones."
        if self.count(CHOSE):
            return "Figures on images that chose the epoch are a little too good."
        return ""

    def _share(self, count: int) -> str:
        if not count:
            return "none of them"
        return "all of them" if count == self.images else f"{count:,} of them"


def write_images(path: Path, roles: Mapping[str, tuple[Sequence[str], Digests]]) -> None:
    """Write a CSV table with the columns image, role and hash.

    Args:
        path: the file.
        roles: a role in words → the files that have it, and their digests.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "role", "hash"])
    for role, (paths, digests) in roles.items():
        table.writerows((path, role, f"{int(digest):016x}") for path, digest in zip(paths, digests, strict=True))
    write_text(path, text.getvalue())
