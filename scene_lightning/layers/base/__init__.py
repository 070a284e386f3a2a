"""What every layer is built on: the Layer class, symbolic tensors, weights, dtype policies and arguments."""
