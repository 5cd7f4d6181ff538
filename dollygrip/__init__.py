"""Says how the camera moved in a video clip, in the words of a cinematographer."""

__version__ = "0.1.0"
