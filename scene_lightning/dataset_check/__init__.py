"""Looks through a folder of images for faults that would cost a training: `check_dataset` is behind `check DATA`."""
