"""The part of docs/results.md on GPUs: what ``benchmarks/device.py`` measured."""


def device_lines(found: dict | None) -> list[str]:
    """Control steps per second on the device and in threads, and a training; ``found`` is None where there is none."""
    head = ["### On a GPU", ""]
    if found is None:
        return [*head, "Not measured: `python benchmarks/device.py --train` on a machine with a GPU.", ""]
    rows: dict[int, dict] = {}
    for row in found["speed"]:
        rows.setdefault(row["simulations"], {})[row["physics"]] = row
    lines = [
        *head,
        f"`python benchmarks/device.py` on {found['device']}, {found['machine']['cores']} processor cores: control"
        f" steps per second of the {found['body']}.",
        "",
        "| simulations | C, in threads | MJX | compiling, s |",
        "|---" * 4 + "|",
    ]
    for count, row in sorted(rows.items()):
        c, mjx = (f"{row[name]['steps_per_s']:,.0f}" if name in row else "" for name in ("c", "mjx"))
        compiling = f"{row['mjx']['compile_s']:.0f}" if "mjx" in row else ""
        lines.append(f"| {count:,} | {c} | {mjx} | {compiling} |")
    if training := found.get("training"):
        lines += [
            "",
            f"`{training['command']}` from a cold start: {training['train_s'] / 60:.1f} min; goals"
            f" {training['goal_error_m']:.4f} m, speeds {100 * training['speed_error_windowed']:.1f} %, falls"
            f" {100 * training['fall_rate']:.1f} %.",
        ]
    return [*lines, ""]
