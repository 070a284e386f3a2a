"""The part of TensorFlow that image programs call, on torch tensors. Only programs run by the runner see it."""
