"""TensorFlow's operations on torch tensors."""
