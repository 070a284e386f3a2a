"""Image folders, files and arrays in; batches for Lightning out."""
