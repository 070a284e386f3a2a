"""The errors that this package raises, of which each says what was expected, what came, and the cure."""

from __future__ import annotations


class SceneLightningError(Exception):
    """Root of every error this package raises on purpose."""


class InputError(SceneLightningError, ValueError):
    """The caller's input is wrong. The command line prints it as one line and exits with status 2."""


class UnknownNameError(InputError):
    """A config or an argument names something that is neither Keras' nor handed in.

    Args:
        message: the error's text.
        name: the name that nobody knows.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class UnknownArgumentError(InputError, TypeError):
    """A call has a keyword that nobody knows: a TypeError, as Python's own, and a ValueError, as Keras' of layers."""


class DataError(InputError):
    """A folder, an image or an array is not what was expected."""


class RecipeError(InputError):
    """A recipe has unknown keys, wrong types or impossible values (all listed at once)."""


class FileFormatError(InputError):
    """A model file is corrupt, truncated, hostile, or not a model file at all."""


class DeviceError(InputError):
    """An accelerator, a device count or a precision that this machine does not have."""


class UnsupportedError(SceneLightningError, NotImplementedError):
    """A documented Keras feature that is outside this package; the message says what to use instead."""


class MissingFileError(UnsupportedError, DataError):
    """A file that Keras would download; nothing is downloaded here, and the message says which file belongs where."""
