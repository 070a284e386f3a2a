"""Callbacks: what happens beside the training steps. Keras: `keras.callbacks`."""

from scene_lightning.callbacks.base import Callback
from scene_lightning.callbacks.callback_list import CallbackList
from scene_lightning.callbacks.history import History
from scene_lightning.callbacks.progress import ProgbarLogger

__all__ = ["Callback", "CallbackList", "History", "ProgbarLogger"]
