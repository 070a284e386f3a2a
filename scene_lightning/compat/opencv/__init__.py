"""A stand-in for OpenCV, for programs that prepare images with `cv2` where it is not installed."""
