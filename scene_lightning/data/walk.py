"""Walks folders for files: each real folder once, regular files alone, and what other programs leave behind apart."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

STRAY_FOLDERS = {"__macosx", ".ipynb_checkpoints", "@eadir", ".git", ".svn", "__pycache__", ".trash", "lost+found"}
STRAY_FILES = {"thumbs.db", ".ds_store", "desktop.ini", ".directory", "ehthumbs.db"}
SPECIAL = {
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def is_stray(name: str) -> bool:
    """Whether a program left a file or folder of this name: Thumbs.db, __MACOSX, ._x.jpg.

    Args:
        name: without the folders before it.
    """
    return name.startswith("._") or name.lower() in STRAY_FOLDERS | STRAY_FILES


def is_hidden(name: str) -> bool:
    """Whether a name begins with a dot, or is one that programs leave behind.

    Args:
        name: without the folders before it.
    """
    return name.startswith(".") or is_stray(name)


@dataclass
class LeftOut:
    """What lies in a folder and was not taken, to be said once.

    Attributes:
        counts: what it is, in words → how many there were.
    """

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, path: str, reason: str = "") -> None:
        """Count a file or folder.

        Args:
            path: where it lies.
            reason: why it was left out; nothing where its name says so.
        """
        name = os.path.basename(path)
        if reason:
            self.counts[f"{path} ({reason})"] += 1
        elif is_hidden(name):
            self.counts["._*" if name.startswith("._") else name] += 1
        else:
            self.counts[f"*{os.path.splitext(name)[1].lower()}" if "." in name else "files without an ending"] += 1

    def in_words(self) -> str | None:
        """One line, or None where there is nothing to say."""
        if not self.counts:
            return None
        parts = [name if count == 1 else f"{name} ({count:,})" for name, count in self.counts.most_common(_MOST_NAMED)]
        more = len(self.counts) - len(parts)
        return f"{self.counts.total():,} left out: {', '.join(parts)}{f', and {more} more kinds' if more else ''}"


_MOST_NAMED = 8


def files_below(
    folder: str,
    accept: Callable[[str], bool],
    *,
    follow_links: bool = True,
    recursive: bool = True,
    hidden: bool = False,
    left_out: LeftOut | None = None,
) -> list[str]:
    """The regular files below a folder, sorted by folder and then by name. No file is opened.

    Each real folder is visited once, however many links lead to it. A link that leads nowhere counts as a file: whoever
    reads it will say so.

    Args:
        folder: where to begin; nothing comes back where it is not there.
        accept: told a file's name, whether it is wanted.
        follow_links: whether linked folders are entered.
        recursive: whether folders in the folder are entered.
        hidden: whether hidden files and folders, and those that programs leave behind, count too.
        left_out: takes note of what was not taken.
    """
    left_out = LeftOut() if left_out is None else left_out
    files: list[tuple[str, list[str]]] = []
    visited: set[tuple[int, int]] = set()
    real, linked = [folder], list[str]()
    while real or linked:
        here = real.pop() if real else linked.pop(0)  # links last: a folder is known by its own name
        try:
            status = os.stat(here)
            if (status.st_dev, status.st_ino) in visited:
                left_out.add(here, "a link to a folder that is read already")
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(here) as opened:
                entries = sorted(opened, key=lambda entry: entry.name)
        except OSError as error:
            if here != folder:
                left_out.add(here, f"a folder that cannot be read: {error.strerror}")
            continue
        names = []
        for entry in entries:
            if not hidden and is_hidden(entry.name):
                left_out.add(entry.path)
            elif is_folder(entry):
                if recursive and not entry.is_symlink():
                    real.append(entry.path)
                elif recursive and follow_links:
                    linked.append(entry.path)
            elif not accept(entry.name):
                left_out.add(entry.path)
            elif (special := special_file(entry)) is not None:
                left_out.add(entry.path, f"{special}, not opened")
            else:
                names.append(entry.name)
        files.append((here, names))
    return [os.path.join(where, name) for where, names in sorted(files) for name in names]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link that leads in circles is none.

    Args:
        entry: of `os.scandir`.
    """
    try:
        return entry.is_dir()
    except OSError:
        return False


def special_file(entry: os.DirEntry[str]) -> str | None:
    """What an entry is that is no regular file, in words; None for files and for links that lead nowhere.

    Args:
        entry: of `os.scandir`.
    """
    try:
        if entry.is_file():
            return None
        return SPECIAL.get(stat.S_IFMT(entry.stat().st_mode))
    except OSError:
        return None
