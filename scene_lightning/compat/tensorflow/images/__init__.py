"""`tf.image` in parts: geometry, sizes, colours, chance, measures, boxes, and TensorFlow 1's own resizing."""
