"""Keras' callbacks (`keras.callbacks`): what happens beside the training steps."""

from scene_lightning._registry import name_unknown_words_of
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.callbacks.backup import BackupAndRestore
from scene_lightning.callbacks.base import Callback
from scene_lightning.callbacks.callback_list import CallbackList
from scene_lightning.callbacks.checkpoint import ModelCheckpoint
from scene_lightning.callbacks.csv_logger import CSVLogger
from scene_lightning.callbacks.early_stopping import EarlyStopping
from scene_lightning.callbacks.history import History
from scene_lightning.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from scene_lightning.callbacks.monitor import MonitorCallback
from scene_lightning.callbacks.progress import ProgbarLogger
from scene_lightning.callbacks.simple import BaseLogger, LambdaCallback, SwapEMAWeights, TerminateOnNaN
from scene_lightning.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore", "BaseLogger", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History",
    "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "MonitorCallback", "ProgbarLogger",
    "ReduceLROnPlateau", "SwapEMAWeights", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip

name_unknown_words_of(globals()[name] for name in __all__ if name in globals())

explain_missing_names(__name__, __all__)
