"""What the networks of `keras.applications` are built with: arguments, weights, names of layers, torch to Keras."""
