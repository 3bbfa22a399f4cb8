"""A toy stage that takes seconds and learns nothing."""

from reinfer.inference.mixture import MixtureConfig
from reinfer.stages.toy import ToyConfig

TINY = ToyConfig(
    iterations=3,
    updates=2,
    hidden=8,
    decoder_hidden=8,
    policy_hidden=8,
    latent=3,
    behaviour_episodes=4,
    behaviour_length=4,
    policy_episodes=2,
    policy_starts=2,
    horizon=1,
    mixture_points=256,
    policy_from=0.3,
    mixture=MixtureConfig(max_components=6),
)
