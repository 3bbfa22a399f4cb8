"""The part of docs/results.md on one family with a varying parameter, learned by a Neural Process."""

#: Control steps per sub-goal to which the bars on robots apply.
JUDGED = (5, 10)


def process_lines(found: dict) -> list[str]:
    """Tables of what ``reinfer eval process --json`` printed."""
    toy = found["toy"]
    lines = [
        "| toy | ours | bar |",
        "|---" * 3 + "|",
        f"| bound on five targets, nats (ceiling {toy['ceiling']:.2f}) | {toy['elbo']:.2f} | > 13 |",
        f"| R2 of latent and goal | {toy['r2']:.4f} | > 0.99 |",
        f"| R2, rows in random order | {toy['r2_random_order']:.4f} | |",
        f"| steady error, m | {toy['steady_error_m']:.3f} | < 0.1 |",
        f"| return over 250 steps, told the goal {toy['best_return']:.1f} | {toy['return_mean']:.1f} | > -60 |",
        "",
        "| robot | steps per sub-goal | R2 | steady error, m | worst goal, m | moved per decision, m "
        "| decisions to 0.5 m | at 0.5 m each | falls |",
        "|---" * 9 + "|",
    ]
    for body, robot in found["robots"].items():
        lines += [_line(body, row) for row in robot["plays"]]
        lines.append(f"| {body} | told the goal | | {robot['told']['steady_error_m']:.3f} " + "| " * 5 + "|")
    return [*lines, f"| bar | {', '.join(map(str, JUDGED))} | > 0.99 | < 0.25 " + "| " * 5 + "|"]


def _line(body: str, row: dict) -> str:
    span = row["context_stride"]
    steps = f"{row['steps_per_sub_goal']}" + (f", rows span {span} sub-goals" if span > 1 else "")
    moved, decisions = (
        "-" if row[name] is None else f"{row[name]:.{digits}f}"
        for name, digits in (("moved_per_decision_m", 2), ("decisions_to_reach", 0))
    )
    return (
        f"| {body} | {steps} | {row['r2']:.4f} | {row['steady_error_m']:.3f} | {row['worst_error_m']:.3f} | {moved} "
        f"| {decisions} | {row['ideal_decisions']:.0f} | {100 * row['fall_rate']:.1f} % |"
    )
