"""What a run of the low-level stage depends on, and what the presets set."""

from dataclasses import dataclass, replace

from reinfer.bodies import ALLOWED
from reinfer.control.commands import COMMAND_KINDS
from reinfer.control.curriculum import PUSH_HZ
from reinfer.control.demands import YOUNG_S
from reinfer.runs.config import seed_setting, setting

#: Copies of the body that keep a device busy, unless a run says how many.
SIMULATIONS = {"cpu": 256, "gpu": 4096}


@dataclass(frozen=True, slots=True)
class LowLevelConfig:
    """Everything a run of the low-level stage depends on."""

    body: str = setting("half_cheetah", f"robot that learns: {ALLOWED}")
    timing: str | None = setting(None, "how physics is stepped: fast, stock, ...; None: the body's own")
    kinds: tuple[str, ...] = setting(("goal", "velocity"), "kinds of command to learn", choices=COMMAND_KINDS)
    device: str = setting(
        "cpu", "where physics runs: in C threads, or by MJX, for thousands of simulations", choices=("cpu", "gpu")
    )
    equivariant: bool = setting(
        False, "tie policy and value to the mirror x -> -x, of a body that is the same forward and backward"
    )
    start: str | None = setting(
        None, "low-level policy to go on from: a run, a model folder or shipped:NAME; None: from nothing"
    )
    seed: int = seed_setting("seed of all randomness")
    iterations: int = setting(1000, "updates in all", low=1)
    simulations: int | None = setting(
        None, "copies of the body stepped at once; None: 256 on the cpu, 4096 on a gpu", low=1
    )
    horizon: int = setting(32, "control steps per simulation and update", low=2)
    hidden: int = setting(128, "width of the two hidden layers of policy and value", low=1)
    epochs: int = setting(4, "passes over each rollout", low=1)
    minibatches: int = setting(4, "gradient steps per pass; must divide simulations x horizon", low=1)
    discount: float = setting(0.98, "per control step", low=0.0, high=1.0)
    trace: float = setting(0.95, "lambda of the advantage estimate", low=0.0, high=1.0)
    target_kl: float = setting(0.01, "policy change aimed at per update, nats", low=1e-6)
    highest_learning_rate: float = setting(1e-3, "bound on the steered learning rate, until annealing", low=1e-8)
    entropy_weight: float = setting(0.002, "bonus on the log standard deviation, until annealing", low=0.0)
    anneal_from: float = setting(0.5, "fraction of the run after which exploration fades", low=0.0, high=1.0)
    relative_speed: bool = setting(False, "judge speeds relative to the target where far from it")
    effort_price: float = setting(
        0.01, "taken from the reward of a step, of about 1 at best: times the sum of the squared actions", low=0.0
    )
    speed_ramp: float = setting(0.0, "fraction of the run over which the speeds asked for grow", low=0.0, high=1.0)
    speed_reserve: float = setting(1.0, "speeds are learned up to so many times the highest promised", low=1.0)
    hard_commands: float = setting(
        0.0, "share of commands drawn where bodies fall most often, until annealing", low=0.0, high=1.0
    )
    last_hard_commands: float = setting(0.0, "the same at the end of the run", low=0.0, high=1.0)
    far_goals: float = setting(0.0, "share of goals that lie farther than a policy can see", low=0.0, high=1.0)
    goal_share: float = setting(
        0.8, "speed at which goals are approached from afar, as a share of the highest promised", low=0.1, high=1.0
    )
    restless: float = setting(0.0, "share of episodes in which commands change all the time", low=0.0, high=1.0)
    first_changes_hz: float = setting(
        0.0,
        f"least command changes per second in the first {YOUNG_S:g} s of episodes, once annealing begins: as by one "
        "who does not know the task yet",
        low=0.0,
    )
    first_fall_cost: float = setting(0.0, "taken from the reward of a fall at the start", low=0.0)
    last_fall_cost: float = setting(0.0, "the same at the end, and from when annealing begins", low=0.0)
    final_std: float = setting(0.03, "standard deviation of actions at the end", low=1e-3)
    moving_starts: float = setting(0.0, "share of episodes that begin at some speed", low=0.0, high=1.0)
    posed_starts: float = setting(
        0.0, "share of episodes of a pitch to hold that begin near it, of planar bodies", low=0.0, high=1.0
    )
    pushes_mps: float = setting(
        0.0, f"standard deviation of random pushes along x while learning, {PUSH_HZ:g} per second; 0: none", low=0.0
    )
    episode_s: float = setting(12.0, "time limit of a training episode, simulated seconds", low=0.1)
    calibration_rounds: int = setting(0, "how often speeds are measured at the end, and commands corrected", low=0)
    threads: int = setting(0, "physics threads; 0 uses every core", low=0)

    @property
    def copies(self) -> int:
        """How many simulations there are."""
        return SIMULATIONS[self.device] if self.simulations is None else self.simulations


#: What bodies that fall need: a longer view (2 s at 20 ms), speeds that grow, starts at speed, practice of what
#: makes them fall, to the end, long runs, commands that change at any moment, goals approached at a speed at which they
#: hardly ever fall, and falls that cost what they spoil, more and more.
_LEGGED = LowLevelConfig(
    hard_commands=0.5,
    last_hard_commands=0.3,
    far_goals=0.2,
    goal_share=0.6,
    restless=0.08,
    first_fall_cost=25.0,
    last_fall_cost=100.0,
    final_std=0.08,
    calibration_rounds=6,
    iterations=3300,
    discount=0.99,
    relative_speed=True,
    speed_ramp=0.4,
    moving_starts=0.5,
    target_kl=0.015,
    anneal_from=0.6,
)

PRESETS = {
    "default": LowLevelConfig(),
    "quick": LowLevelConfig(iterations=250),
    # What rears up must learn to stay before it can learn to get there. Of four kinds each is practised less often, so
    # it takes longer, and the highest speeds, at which it turns over, need their share.
    "multi": LowLevelConfig(
        kinds=COMMAND_KINDS,
        iterations=4000,
        posed_starts=0.5,
        hard_commands=0.3,
        last_hard_commands=0.2,
        calibration_rounds=4,
    ),
    # It trips once in a while near the highest speeds: it must learn to catch itself, and to run faster than promised.
    # It sets off leaning, and falls if the first moment was spent on setting off the other way.
    "walker2d": replace(_LEGGED, body="walker2d", speed_reserve=1.15, pushes_mps=0.3, first_changes_hz=16.0),
    # A body on one foot gives up on going backwards unless it keeps exploring, speeds grow slowly and what it fails at
    # is not nearly all it is asked for; and it cannot brake where it is faster than anything it was ever asked for.
    "hopper": replace(
        _LEGGED,
        body="hopper",
        hard_commands=0.4,
        last_hard_commands=0.0,
        speed_reserve=1.25,
        entropy_weight=0.006,
        speed_ramp=0.5,
        anneal_from=0.5,
    ),
    # It falls at high speeds only; what it must learn is to keep to the line, at any speed, and of what it is the same
    # in both directions only one.
    "ant": LowLevelConfig(
        body="ant",
        equivariant=True,
        iterations=1500,
        hard_commands=0.3,
        last_hard_commands=0.2,
        relative_speed=True,
        speed_ramp=0.3,
        far_goals=0.2,
        restless=0.08,
        first_fall_cost=5.0,
        last_fall_cost=25.0,
        final_std=0.08,
        target_kl=0.015,
        anneal_from=0.6,
        calibration_rounds=4,
    ),
}
