"""Unmodified Keras programs on this engine: scripts, notebooks, and `import keras` after `install()`.

`command` reads the words after `python -m scene_lightning`; `runner` runs a script, `notebook` a notebook; `install`
puts the names `keras` and `tensorflow` in Python's way; `tree` says what stands behind each of them.
"""
