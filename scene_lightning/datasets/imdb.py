"""Reviews of films, `keras.datasets.imdb`: no images, and named so when used."""

from scene_lightning.datasets._absent import not_images

load_data = not_images("imdb", "load_data", "texts")
get_word_index = not_images("imdb", "get_word_index", "texts")

__all__ = ["get_word_index", "load_data"]
