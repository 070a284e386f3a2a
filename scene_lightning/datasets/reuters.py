"""News of the Reuters agency, `keras.datasets.reuters`: no images, and named so when used."""

from scene_lightning._unsupported import absent

get_label_names = absent("keras.datasets.reuters.get_label_names")
get_word_index = absent("keras.datasets.reuters.get_word_index")
load_data = absent("keras.datasets.reuters.load_data")

__all__ = ["get_label_names", "get_word_index", "load_data"]
