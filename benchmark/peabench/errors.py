"""Errors that a user can mend."""


class PeabenchError(Exception):
    """A mistake that its user can mend: one sentence that says what was expected, what came and what to do."""


class InvalidAnswer(PeabenchError):
    """An answer that its track cannot grade: wrong shapes, values that are not finite, an unknown site or edge."""
