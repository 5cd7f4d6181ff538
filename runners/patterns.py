"""Paths that a pattern such as ``clips/**/*.mp4`` means."""
