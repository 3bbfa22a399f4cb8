"""The parts of the report about results: what it is, and the contest."""

from reinfer.viewing import page
from reinfer.viewing.anchors import ANCHORS
from reinfer.viewing.comparison import comparison_figure
from reinfer.viewing.contest_table import COMPARATORS, contest_rows, percent
from reinfer.viewing.reporting.evidence import Evidence, absent
from reinfer.viewing.style import svg_of


def spoken(body: str) -> str:
    return body.replace("_", "\N{NON-BREAKING HYPHEN}")


def title(evidence: Evidence, others: tuple[Evidence, ...] = ()) -> str:
    """What the report is about, as a title."""
    bodies = [robot.body for robot in (evidence, *others) if robot.contest]
    if not bodies:
        return "Task inference learned on a toy" if evidence.toy else "What these runs reached"
    said = ", ".join(f"a {spoken(body)}" for body in bodies)
    return f"Task inference learned on a toy, reused on {said}"


def opening(evidence: Evidence, others: tuple[Evidence, ...] = ()) -> str:
    robots = [robot for robot in (evidence, *others) if robot.contest]
    body = spoken(robots[0].body) if len(robots) == 1 else "robot"
    drawings = [f"<figure>{page.asset(f'overview_{name}.svg')}</figure>" for name in ("toy", "encoder", "robot")]
    shown = (
        f"The {body} is never told its task, was never meta-trained, and does what is shown below."
        if robots
        else f"The {body} is never told its task and is never meta-trained."
    )
    return "\n".join(
        [
            f"<h1>{title(evidence, others)}</h1>",
            page.paragraph(
                "A robot that must find out by itself what it is asked to do, such as reaching a place or "
                "running at a speed, normally practises this for millions of steps on the robot. reinfer "
                "learns it on a point that moves along a line, which takes minutes. There an encoder "
                "learns to tell from a few rewards which kind of task it is in and what the target is, and "
                f"a policy learns what to do about it. Both are frozen and put on the {body}: the encoder "
                "reads the robot's own position, speed and rewards, the policy chooses sub-goals, and a "
                f"low-level policy trained without any unknown task pursues them. {shown}",
                "lead",
            ),
            '<div class="figures three">',
            *drawings,
            "</div>",
            page.key_figures(_headlines(robots[0].contest)) if len(robots) == 1 else "",
        ]
    )


def _headlines(contest: dict) -> list[tuple[str, str, str]]:
    position, velocity = contest["position"], contest["velocity"]
    entries = [
        (
            f"{position['settled_error_m']:.3f} m",
            "from the goal, once settled (last quarter of an episode)",
            "position.settled_error_m",
        ),
        (
            percent(velocity["windowed_relative_error"]),
            "error of the speed, averaged over a window",
            "velocity.windowed_relative_error",
        ),
    ]
    accuracy, error = contest.get("class_accuracy_by_rows", {}), contest.get("target_error_by_rows", {})
    if accuracy.get("5") is not None:
        entries.append(
            (
                percent(accuracy["5"]),
                "of tasks recognised after 5 rows of experience",
                "class_accuracy_by_rows.5",
            )
        )
    if error.get("10") is not None:
        entries.append((percent(error["10"]), "error of the inferred target after 10 rows", "target_error_by_rows.10"))
    entries.append((percent(contest["fall_rate"]), "of episodes with a fall", "fall_rate"))
    return entries


def contest(evidence: Evidence) -> str:
    contest = evidence.contest
    if contest is None:
        needed = "a toy agent and a low level among what the report is made of"
        return absent("The contest", needed, "reinfer report TOY_RUN LOW_RUN")
    head = [("agent", False), ("position error", True), ("speed error", True), ("falls", True)]
    titles = {
        "published": "published results, as their sources report them",
        "ours": "this project",
        "comparator": "comparators: not contestants, run by us to show the scale",
    }
    rows, shown = [], None
    for row in contest_rows(contest, evidence.body, evidence.heldout):
        if row.kind != shown:
            shown = row.kind
            rows.append(page.wide_row(titles[shown], len(head), "group"))
        numbers = [
            page.cell(number.text, number.note, number=True, key=number.key, value=number.value)
            for number in (row.position, row.velocity, row.falls)
        ]
        kind = {"ours": "ours ", "comparator": "aside "}.get(row.kind, "")
        rows.append((f"{kind}agent", [page.cell(row.name), *numbers]))
        rows.append(page.wide_row(f"told {row.told}; {row.note}", len(head), f"{kind}told"))
    return page.section(
        "The contest",
        page.paragraph(
            "Targets near and far, both ways. Only rewards tell the agent which one it is. Errors "
            "are those of the last quarter of an episode; speeds are averaged over a window longer than a "
            "gait cycle, because a running body's speed swings within every stride."
        ),
        page.side_by_side(*_glance(evidence)),
        page.table(head, rows),
        _interval(contest),
        _published(evidence.body),
        _held(contest),
        _over_time(contest),
        _sources(evidence.body),
        page.command(
            _transfer_command(contest), f"reinfer plot compare {evidence.source} --output compare.svg", evidence.made_by
        ),
    )


def _glance(evidence: Evidence) -> list[str]:
    """The table as two figures."""
    captions = {"position": "Hollow: told the task, or its target.", "velocity": "Hollow: told the task."}
    if evidence.body in ANCHORS:
        captions["position"] += " Published results differ in measure; see below."
        captions["velocity"] = "Published speeds but the thesis's are instantaneous and include the gait's swing."
    return [
        page.figure(svg_of(comparison_figure({evidence.body: evidence.contest}, (kind,))), caption)
        for kind, caption in captions.items()
    ]


def _transfer_command(contest: dict) -> str:
    """The command that plays this contest again; the demo's contest was not typed."""
    if "command" in contest:
        return contest["command"]
    settings = f"--body {contest['body']} --tasks {contest['tasks']} --stride {contest['stride']}"
    return f"reinfer transfer {settings} --seeds {len(contest['seeds'])} --out transfer"


def _interval(contest: dict) -> str:
    """How sure the two main numbers are."""
    seeds = len(contest["seeds"])
    size = f"{contest['n_tasks']} tasks of {contest['episode_s']:.0f} s"
    if seeds == 1:
        return page.paragraph(f"{size}, one training seed; an interval needs several.", "note")
    return page.paragraph(
        f"{size}, {seeds} training seeds. Large: means. IQM: interquartile means with 95 % stratified bootstrap "
        "intervals.",
        "note",
    )


def _held(contest: dict) -> str:
    """Stands and jumps, of contests that have them: ours and the comparators'."""
    if not {"stand", "jump"} <= set(contest):
        return ""
    head = [("", False), ("stands: error", True), ("settled", True), ("jumps: error of the peak", True)]
    rows = []
    for name, prefix, result in _agents(contest):
        cells = [page.cell(name)]
        for kind, key, text in (
            ("stand", "settled_error_rad", "{:.3f} rad".format),
            ("stand", "settled_fraction", percent),
            ("jump", "peak_relative_error", percent),
        ):
            value = result[kind][key]
            cells.append(page.cell(text(value), number=True, key=f"{prefix}{kind}.{key}", value=value))
        rows.append(("ours" if not prefix else "aside", cells))
    return page.table(head, rows)


def _agents(contest: dict) -> list[tuple[str, str, dict]]:
    """(name, start of its keys, results) of ours and of the comparators."""
    others = [(name, f"{key}.", contest[key]) for key, name, *_ in COMPARATORS if contest.get(key)]
    return [("reinfer", "", contest), *others]


def _over_time(contest: dict) -> str:
    """How fast: errors at fixed simulated times, ours and the comparators'."""
    lines = []
    for kind, what, unit in (("position", "distance to the goal", "m"), ("velocity", "speed error", "m/s")):
        times = sorted(contest[kind].get("error_at_s", {}), key=float)
        if not times:
            continue
        head = [(f"{what} ({unit}) after", False), *((f"{seconds} s", True) for seconds in times)]
        rows = []
        for name, prefix, result in _agents(contest):
            found = result[kind].get("error_at_s", {})
            cells = [page.cell(name)]
            cells += [
                page.cell(f"{found[t]:.2f}", number=True, key=f"{prefix}{kind}.error_at_s.{t}", value=found[t])
                for t in times
            ]
            rows.append(("ours" if not prefix else "aside", cells))
        lines.append(page.table(head, rows))
    return "\n".join(lines)


def _published(body: str) -> str:
    """How to read published figures, where there are some for the robot."""
    if body not in ANCHORS:
        return ""
    return page.paragraph(
        "Published figures differ in what the agent is told and in how the error is taken, as noted in "
        "their rows: read them as the scale of the problem. ReMAP is given the target's value; ours is "
        "not.",
        "note",
    )


def _sources(body: str) -> str:
    sources = dict.fromkeys(anchor.source for anchor in ANCHORS.get(body, ()))
    lines = "".join(page.paragraph(source, "note") for source in sources)
    return f"<details><summary>Sources of the published figures</summary>{lines}</details>" if lines else ""
