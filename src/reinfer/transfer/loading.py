"""Models by reference, whatever their kind."""

from reinfer.control.low_level_policy import KIND as LOW_LEVEL
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.inference.agent import KIND as TOY_AGENT
from reinfer.inference.agent import ToyAgent
from reinfer.runs.directory import resolve
from reinfer.runs.errors import ArtifactError
from reinfer.runs.models import load_model
from reinfer.transfer.strides import KIND as STRIDE
from reinfer.transfer.strides import LearnedStride


def load(reference: str, low_level: LowLevelPolicy | None = None):
    """The model that ``reference`` names: a run, a model folder, or ``shipped:NAME``.

    Args:
        low_level: the policy above which a learned stride is used; it must be of the same robot.
    Returns: a ``ToyAgent``, a ``LowLevelPolicy`` or a ``LearnedStride``, by what the model file says it is.
    Raises ArtifactError if it is missing, damaged, of another kind, or of another robot than ``low_level``.

    Examples:
        >>> import reinfer
        >>> agent = reinfer.load("shipped:toy/seed0")
        >>> agent.body.name, agent.layout.channels
        ('toy1d', ('x', 'vx'))
        >>> low_level = reinfer.load("shipped:half_cheetah/low")
        >>> low_level.body.name
        'half_cheetah'
        >>> reinfer.load("shipped:half_cheetah/stride/seed0", low_level).name
        'learned'
    """
    folder = resolve(reference)
    kind = load_model(folder).kind
    if kind == TOY_AGENT:
        return ToyAgent.load(folder, partial=True)
    if kind == LOW_LEVEL:
        return LowLevelPolicy.load(folder)
    if kind == STRIDE:
        if low_level is None:
            raise ArtifactError(f"{reference} is a learned stride: the low level above which it is used must be given")
        stride = LearnedStride.load(folder, low_level.ranges)
        stride.body.require(low_level.body, reference)
        return stride
    raise ArtifactError(f"{reference} holds a model of kind {kind!r}; allowed: {TOY_AGENT}, {LOW_LEVEL}, {STRIDE}")
