"""What stops the asking, and what only costs one question its answer."""


class VlmError(Exception):
    """Nothing more can be asked; one plain line that says why and what to do."""


class NoLogProbabilities(Exception):
    """The endpoint gives no log-probabilities for this model."""


class Trouble(Exception):
    """One request has no answer; one plain line that says why. Another run may have more luck."""
