"""What loading from a TensorFlow-style checkpoint returns: it can be asked whether everything was found."""

from __future__ import annotations

from scene_lightning.errors import InputError


class LoadStatus:
    """What loading from a TensorFlow checkpoint found. TensorFlow: `CheckpointLoadStatus`.

    Args:
        missing: names of variables that the file lacks.
        path: the file; None where there was none.
    """

    def __init__(self, missing: list[str], path: str | None) -> None:
        self._missing, self._path = missing, path

    def assert_existing_objects_matched(self) -> LoadStatus:
        """Every variable here has got a value."""
        if self._path is None or self._missing:
            raise InputError(f"{self._path} has no value for {', '.join(self._missing[:5]) or 'anything'}.")
        return self

    assert_consumed = assert_nontrivial_match = assert_existing_objects_matched

    def expect_partial(self) -> LoadStatus:
        """Nothing to silence: values that are left over are not reported."""
        return self

    def run_restore_ops(self, session: object = None) -> None:
        """They have run."""

    initialize_or_restore = run_restore_ops
