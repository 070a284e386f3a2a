"""Functions that Keras 1 and 2 had under paths of their own and Keras 3 dropped; `compat.import_map` shows them there."""
