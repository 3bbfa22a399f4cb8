"""``reinfer view``: a robot at work on a page in the browser, whose task you change while it runs."""

from dataclasses import dataclass, replace

from reinfer.bodies import ALLOWED, robot
from reinfer.cli.parsing import parse
from reinfer.cli.transfer import RELEARNED, TOY, TransferOptions, check_models, prepare
from reinfer.runs.config import seed_setting, setting, validate
from reinfer.runs.directory import shipped_models
from reinfer.runs.errors import ConfigError

#: Robots that can be chosen on the page: those with a shipped low level, and the one asked for.
OFFERED = ("half_cheetah", "walker2d", "hopper", "ant")

#: The oracle's key, and label of its route.
ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """Watch an agent find out its task: a live page on this machine, until Ctrl-C.

    Models may be given for the robot in `body`; others that are chosen on the page have the shipped ones.
    """

    body: str = setting("half_cheetah", f"robot to begin with: {ALLOWED}")
    policy: str = setting(
        TOY,
        "what chooses sub-goals at first: the toy's policy, as relearned on the robot, or an oracle told the task",
        choices=(TOY, RELEARNED, ORACLE),
    )
    stride: str | None = setting(
        None, "control steps between looks: learned, rule, or 1 to 20; by default learned where there is one, else 1"
    )
    toy: str | None = setting(None, "toy agent in place of the shipped one: a run or a model folder")
    low: str | None = setting(None, "low-level policy in place of the shipped one: a run or a model folder")
    stride_model: str | None = setting(None, "learned stride in place of the shipped one")
    high: str | None = setting(None, "relearned high level, which the page then offers too")
    toy_steps: int = setting(6, "toy steps ahead that a sub-goal lies", low=1, high=20)
    seed: int = seed_setting("of the starts")
    host: str = setting("127.0.0.1", "address to listen at; by default only this machine can see the page")
    port: int = setting(8080, "port to listen at; 0 takes any that is free", low=0, high=65535)


def run(arguments: list[str]) -> int:
    """Serve the page until a stop signal; returns the exit code."""
    options = validate(parse(ViewOptions, "reinfer view", arguments))
    chosen = transfer_options(options, options.body)
    check_models(chosen)
    if options.policy == RELEARNED != chosen.policy:
        raise ConfigError(f"policy: {RELEARNED!r} needs high: no relearned high level is shipped for {options.body!r}")
    try:
        from reinfer.viewing.live.server import open_server, serve
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"view: the package {missing.name!r} is not installed; pip install -e '.[view]' brings it"
        ) from missing
    from reinfer.runs.compilation import enable_cache
    from reinfer.viewing.live.session import Session

    enable_cache()
    first = equip(options, options.body)
    server = open_server(options.host, options.port)
    try:
        session = Session(
            lambda body: first if body == options.body else equip(options, body),
            options.body,
            options.policy,
            options.seed,
        )
        serve(server, session, bodies=tuple(dict.fromkeys((options.body, *OFFERED))))
    finally:
        server.stop()
    return 0


def equip(options: ViewOptions, body: str):
    """The ``Equipment`` of ``body``. Raises ConfigError or ArtifactError where something does not fit."""
    from reinfer.control.commands import trained_kinds
    from reinfer.tasks import TaskDistribution, family_index, make_tasks
    from reinfer.tasks.families import FAMILY_KIND
    from reinfer.transfer import OracleAgent, ToyPolicyAgent
    from reinfer.viewing.live.latent_map import latent_map_of
    from reinfer.viewing.live.session import Equipment

    contest, (contestant,) = prepare(transfer_options(options, body))
    toy, known = contestant.toy, trained_kinds(contest.low_level.ranges)
    ranges = [r for r in contest.body.tasks.ranges if family_index(r[0]) in toy.layout.families]
    tasks = TaskDistribution(tuple(r for r in ranges if FAMILY_KIND[family_index(r[0])] in known))
    agents = {TOY: ToyPolicyAgent(toy, options.toy_steps)}
    if contestant.relearned is not None:
        agents[RELEARNED] = contestant.relearned
    agents[ORACLE] = OracleAgent(make_tasks([("goal_forward", 1.0)]), len(toy.layout.families))
    return Equipment(contest.body, contest.low_level, contestant.strides, agents, tasks, latent_map_of(toy))


def transfer_options(options: ViewOptions, body: str) -> TransferOptions:
    """What ``reinfer transfer`` would be told; models that the user gave are for the robot that the user gave."""
    name = robot(body).name
    if body != options.body:
        options = replace(options, toy=None, low=None, stride_model=None, high=None, stride=None)
    has_high = bool(options.high) or f"{name}/high/seed0" in shipped_models()
    return validate(
        TransferOptions(
            body=body,
            policy=RELEARNED if has_high else TOY,
            stride=options.stride,
            toy=tuple(filter(None, [options.toy])),
            low=options.low,
            stride_model=tuple(filter(None, [options.stride_model])),
            high=tuple(filter(None, [options.high])),
            toy_steps=options.toy_steps,
        )
    )
