"""From a camera's motion to words: reads :mod:`dollygrip.geometry` only."""
