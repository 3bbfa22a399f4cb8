"""Errors a user can mend: the command line prints the message as one line and exits with code 2."""


class ReinferError(Exception):
    """Base of the errors below; the message is one sentence that names the culprit and what is allowed."""


class ConfigError(ReinferError):
    """A setting is unknown, of the wrong type, out of range, or inconsistent with another."""


class ArtifactError(ReinferError):
    """A checkpoint, model or manifest is missing, damaged, foreign or of another schema."""


class RunError(ReinferError):
    """A run cannot be created, opened or continued as asked."""


class NonFiniteError(ReinferError):
    """A metric or a leaf of the training state is NaN or infinite."""
