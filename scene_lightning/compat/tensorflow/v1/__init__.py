"""TensorFlow 1's names: its sessions and graphs without effect, its flags, its older spellings."""
