"""`tf.logging`: Python's logger "tensorflow"."""

import logging as _logging
from typing import Any

DEBUG, INFO, WARN, WARNING, ERROR, FATAL = 10, 20, 30, 30, 40, 50
_logger = _logging.getLogger("tensorflow")
debug, info, warning, warn, error = _logger.debug, _logger.info, _logger.warning, _logger.warning, _logger.error


def set_verbosity(level: Any) -> None:
    """Sets the logger's level.

    Args:
        level: such as `tf.logging.ERROR`.
    """
    _logger.setLevel(int(level))


def get_logger() -> _logging.Logger:
    """Gives Python's logger "tensorflow"."""
    return _logger


__all__ = [
    "DEBUG", "ERROR", "FATAL", "INFO", "WARN", "WARNING", "debug", "error", "get_logger", "info", "set_verbosity",
    "warn", "warning",
]  # fmt: skip
