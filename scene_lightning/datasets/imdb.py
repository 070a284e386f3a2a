"""Reviews of films, `keras.datasets.imdb`: no images, and named so when used."""

from scene_lightning._unsupported import absent

get_word_index = absent("keras.datasets.imdb.get_word_index")
load_data = absent("keras.datasets.imdb.load_data")

__all__ = ["get_word_index", "load_data"]
