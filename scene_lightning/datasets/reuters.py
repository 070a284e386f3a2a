"""News of the Reuters agency, `keras.datasets.reuters`: no images, and named so when used."""

from scene_lightning.datasets._absent import not_images

load_data = not_images("reuters", "load_data", "texts")
get_word_index = not_images("reuters", "get_word_index", "texts")
get_label_names = not_images("reuters", "get_label_names", "texts")

__all__ = ["get_label_names", "get_word_index", "load_data"]
