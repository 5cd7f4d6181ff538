"""What stops the asking, and what only costs one question its answer."""


class VlmError(Exception):
    """Nothing more can be asked; one plain line that says why and what to do."""


class NoLogProbabilities(Exception):
    """The endpoint gives no log-probabilities for this model."""


class Trouble(Exception):
    """The endpoint did not answer a request; one plain line that says why."""


class Refused(Trouble):
    """The endpoint is well, but does not take this very request."""
