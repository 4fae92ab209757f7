"""Why no model can be learned."""


class TrainingError(ValueError):
    """The exposures do not allow what was asked; the message says what is missing."""
