"""Layers that change images at random while training. Keras: "Image augmentation layers"."""
