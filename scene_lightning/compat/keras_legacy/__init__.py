"""Functions of Keras 1 and 2 that Keras 3 dropped; `compat.import_map` shows them under the paths that they had."""
