"""`tf.image` in parts: geometry, resizing, colours, chance, similarity, boxes, and TensorFlow 1's own resizing."""
