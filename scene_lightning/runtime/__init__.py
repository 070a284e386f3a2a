"""Answers from an exported `.onnx` file with onnxruntime, numpy and Pillow alone: no torch, no Lightning."""
