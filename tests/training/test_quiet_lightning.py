"""While a verb runs, Lightning's loggers pass on errors alone, and whoever listens goes on listening."""

from __future__ import annotations

import logging

import numpy as np

import scene_lightning as keras


class Heard(logging.Handler):
    """Keeps what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def test_errors_are_heard_and_handlers_kept() -> None:
    logger, child = logging.getLogger("lightning.pytorch"), logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before, added = Heard(), Heard()

    def in_the_run(logs: object = None) -> None:
        child.warning("advice")
        child.error("a fault")
        logger.addHandler(added)

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    logger.addHandler(before)
    try:
        callback = keras.callbacks.LambdaCallback(on_train_begin=in_the_run)
        model.fit(np.zeros((4, 4)), np.zeros((4, 2)), verbose=0, callbacks=[callback])
        assert before.messages == ["a fault"]
        child.error("afterwards")
        assert before.messages[1:] == ["afterwards"] and added.messages[-1:] == ["afterwards"]
    finally:
        logger.removeHandler(before)
        logger.removeHandler(added)
