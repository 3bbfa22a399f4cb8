"""What a run of the toy stage depends on, and what the presets set."""

from dataclasses import dataclass

from reinfer.bodies import TOYS, Toy1d
from reinfer.inference.context import WINDOW
from reinfer.inference.encoder import ENCODERS, MODES
from reinfer.inference.mixture import PRIORS, MixtureConfig
from reinfer.runs.config import seed_setting, setting
from reinfer.stages.toy_contexts import DIRECTIONS


@dataclass(frozen=True, slots=True)
class ToyConfig:
    """Everything a run of the default toy stage depends on."""

    body: str = setting(Toy1d.name, "toy that is learned on", choices=tuple(TOYS))
    seed: int = seed_setting("seed of all randomness")
    directions: str = setting("both", "directions of the training tasks; forward: half of them", choices=DIRECTIONS)
    encoder: str = setting("gru", "make of the task encoder", choices=tuple(ENCODERS))
    context_mode: str = setting(
        "trajectory",
        "how the evidence of rows is put together: read as a sequence, or per transition by a product of Gaussians or a"
        " learned combination",
        choices=tuple(MODES),
    )
    equivariant: bool = setting(False, "tie encoder, heads and policy to the mirror x -> -x")
    prior: str = setting("dpmm", "prior over the latent task", choices=PRIORS)
    pcgrad: bool = setting(False, "project conflicts between the families' gradients of inference (PCGrad)")
    relabelled: float = setting(
        0.0, "share of the agent's own episodes from which inference learns under another task", low=0.0, high=1.0
    )
    iterations: int = setting(20, "mixture fits and logged rows", low=1)
    updates: int = setting(130, "gradient steps per iteration", low=1)
    hidden: int = setting(64, "width of the encoder", low=4)
    decoder_hidden: int = setting(64, "width of the decoder heads", low=4)
    policy_hidden: int = setting(64, "width of the policy", low=4)
    latent: int = setting(8, "size of the latent task", low=1)
    behaviour_episodes: int = setting(128, "episodes of random behaviours per update", low=1)
    behaviour_length: int = setting(10, "their length in steps", low=1)
    policy_episodes: int = setting(32, "episodes of the agent per update", low=2)
    policy_length: int = setting(64, "their length in steps", low=WINDOW)
    policy_starts: int = setting(5, "visited states per episode from which the policy is improved", low=1)
    horizon: int = setting(3, "steps over which the policy is improved", low=1)
    process_noise: float = setting(0.05, "noise of the training toy on what a step reaches (m, m/s, rad)", low=0.0)
    time_step_spread: float = setting(0.5, "spread of the distance per step in the agent's own episodes", low=0.0)
    behaviour_time_step_spread: float = setting(9.0, "the same in episodes of random behaviours", low=0.0)
    inference_learning_rate: float = setting(1e-2, "peak learning rate of inference (Muon)", low=1e-8)
    policy_learning_rate: float = setting(1e-3, "peak learning rate of the policy (Adam)", low=1e-8)
    family_weight: float = setting(3.0, "weight of the family's cross-entropy", low=0.0)
    target_weight: float = setting(6.0, "weight of the target error", low=0.0)
    target_tolerance: float = setting(0.002, "relative target errors below this count less", low=1e-6)
    last_weight: float = setting(8.0, "weight of an episode's last belief over an earlier one", low=0.0)
    decoding_weight: float = setting(0.33, "weight of reward and state decoding", low=0.0)
    drift_weight: float = setting(2.0, "weight of the variance of latents within episodes", low=0.0)
    divergence_weight: float = setting(3e-2, "weight of the KL to the mixture prior", low=0.0)
    policy_from: float = setting(0.35, "fraction of the run after which the policy acts and learns", low=0.0, high=1.0)
    mixture_points: int = setting(8192, "latents per mixture fit", low=64)
    mixture: MixtureConfig = MixtureConfig(max_components=48)


PRESETS = {
    "default": ToyConfig(),
    "quick": ToyConfig(
        iterations=8,
        updates=100,
        hidden=32,
        decoder_hidden=32,
        policy_hidden=32,
        behaviour_episodes=64,
        mixture_points=2048,
    ),
    # More families take longer to tell apart.
    "toy2d": ToyConfig(body="toy2d", iterations=56),
    "toy3dof": ToyConfig(body="toy3dof", iterations=56),
}
