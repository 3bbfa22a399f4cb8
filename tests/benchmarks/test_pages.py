"""The pages on results: figures of models that were since replaced are not shown, and what is missing is said."""

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def pages(monkeypatch, tmp_path):
    """``results`` and ``evaluations`` on a copy of nothing: no page, no figure."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import evaluations
    import minutes_section
    import results
    import training_section
    import transfer_section

    for module in (evaluations, minutes_section, results, training_section, transfer_section):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    return evaluations, results


def test_figures_are_of_the_present_models_or_missing(pages, tmp_path):
    evaluations, _ = pages
    command = evaluations.COMMANDS["low_walker2d"]
    models = evaluations.models_behind(command)
    assert list(models) == ["walker2d/low"] and len(models["walker2d/low"]) == 64
    file = tmp_path / "low_walker2d.json"
    assert command in evaluations.missing("low_walker2d")[0]
    for found, told in ((models, False), ({"walker2d/low": "0" * 64}, True), ({}, True), (None, True)):
        file.write_text(json.dumps({} if found is None else {"models": found}))
        assert bool(evaluations.missing("low_walker2d")) is told


def test_an_empty_page_says_what_is_missing(pages):
    evaluations, results = pages
    text = results.page()
    untold = {name for name, command in evaluations.COMMANDS.items() if f"`reinfer {command}`" not in text}
    assert untold == {"low", "low_thrifty", "low_walker2d", "low_hopper", "low_ant"}, "which are rows of a table"
    assert text.count("| not evaluated with the present model |") == 5


def test_figures_of_a_model_that_is_not_shipped_are_missing(pages, monkeypatch):
    evaluations, _ = pages
    monkeypatch.setitem(evaluations.COMMANDS, "unborn", "eval toy --model shipped:toy/seed99 --json")
    assert evaluations.missing("unborn")


def test_what_is_judged_is_made_by_the_command_that_ships(pages):
    from train_shipped import commands

    made = {place for places in commands().values() for place, _ in places}
    behind = {place for command in pages[0].COMMANDS.values() for place in pages[0].models_behind(command)}
    assert behind <= made and "walker2d/low" in behind


def test_models_are_those_a_command_may_play_with(pages):
    evaluations, _ = pages
    places = {name: set(evaluations.models_behind(command)) for name, command in evaluations.COMMANDS.items()}
    assert places["toy_seed3"] == {"toy/seed3"} and places["change_toy"] == {f"toy/seed{seed}" for seed in range(5)}
    assert {"half_cheetah/low", "half_cheetah/stride/seed4", "toy/seed4"} <= places["transfer_standard"]
    assert places["process"] == {f"{body}/low" for body in ("half_cheetah", "walker2d", "hopper")} | {"process/seed0"}
    assert "toy3dof/seed0" in places["transfer_multi"] and "toy/seed0" not in places["transfer_multi"]


def test_reuse_is_in_bold_only_where_it_is_better_than_all_that_are_not_told(pages):
    from comparison_section import cheetah_vel_table, comparison_lines

    def agent(steps, returns, error, told=False, after=None, curve=(0.5, 0.3, 0.3)):
        return {
            "robot_steps": steps,
            "seeds": 2,
            "told": told,
            "return": {"mean": returns[-1]},
            "return_by_episode": returns,
            "per_step": {"iqm": 0.1, "interval": [0.05, 0.2]},
            "final_error_by_family": {"velocity_forward": error},
            "curve": {"robot_steps": [steps], "iqm": curve} if steps else None,
            "steps_to": dict.fromkeys(("reuse", "reuse, thrifty"), after),
            "low_level_steps": None if steps else 8_192_000,
        }

    agents = {
        "reuse": agent(0, [-37.0, -36.0], 0.06),
        "reuse, thrifty": agent(0, [-25.0, -25.0], 0.05),
        "rl2": agent(8_000_000, [-29.0, -33.0], 0.11, after={"first": 4_000_000, "stays": 6_000_000}),
        "sac-told": agent(6_000_000, [-20.0, -20.0], 0.04, told=True, after={"first": None, "stays": None}),
    }
    rows = cheetah_vel_table(agents)
    assert "| reuse | **0** (low level, for all tasks: 8.2 M) | 2 | -37 / -36 | **0.060** |" in rows
    assert "| RL2, from scratch | 8.0 M | 2 | -29 / -33 | 0.110 |" in rows
    assert any(row.startswith("| reuse, thrifty | **0** ") and row.endswith(" | -25 / -25 | 0.050 |") for row in rows)
    assert "SAC" not in "".join(rows)
    found = {"protocol": "cheetah-vel", "measure": "error", "lower_is_better": True, "agents": agents}
    text = "\n".join(comparison_lines(found | {"n_tasks": 30, "episodes": 2, "episode_steps": 200}))
    assert "| 0.110 | reuse: 4.0 M, stays so from 6.0 M; reuse, thrifty: 4.0 M" in text
    assert "| **reuse** | 0 | 8,192,000 |" in text and "| 0.040 | reuse: not within 6.0 M;" in text
    assert "for ten: rl2 1 and 0.1; of PEARL as published, 11 and 1.1. Meta-training" in text
    assert "Still getting better" not in text
    agents["rl2"] = agent(8_000_000, [-29.0, -33.0], 0.11, curve=(0.5, 0.4, 0.3))
    assert "fifth of their training: rl2 (0.400 to 0.300 per step)." in "\n".join(
        comparison_lines(found | {"n_tasks": 30, "episodes": 2, "episode_steps": 200})
    )
    assert "| sac-told, told its task |" in text


def test_the_page_on_scale_stays_where_its_figures_are_not_all_there(pages, monkeypatch, tmp_path, capsys):
    _, results = pages
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(results, "page", lambda: "page")
    monkeypatch.setattr(results, "readme_table", lambda: "table")
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"before {results.BEGIN} old {results.END} after")
    scale = tmp_path / "docs" / "scale.md"
    scale.write_text("measured before")
    (tmp_path / "speed.json").write_text(json.dumps({"toy": {}}))
    results.write_pages()
    assert scale.read_text() == "measured before" and "not all measured" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == "before table after"


def test_the_page_says_what_relearning_changed(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from relearned_section import relearned_lines

    def row(mean_s):
        error = {"mean": mean_s, "iqm": mean_s, "interval": [mean_s, mean_s]}
        position, velocity = {"settled_error_m": 0.004}, {"windowed_relative_error": 0.012}
        figures = {"integrated_error_s": error, "position": position, "velocity": velocity, "fall_rate": 0.0}
        return figures | {"n_tasks": 120, "episode_s": 24.0}

    worse = row(4.2) | {"position": {"settled_error_m": 0.005}, "velocity": {"windowed_relative_error": 0.013}}
    strides = {"1": {"toy": row(2.0), "relearned": row(1.9)}, "5": {"toy": row(4.0), "relearned": worse}}
    text = "\n".join(relearned_lines({"ant": {"agents": 2, "corrects": 1, "robot_steps": 900, "strides": strides}}))
    assert "| ant | 5 | relearned | 4.20 | 4.20 (4.20 to 4.20) | 0.005 | 1.3 % | 0.000 |" in text
    assert "- ant: integrated error relative to the toy's policy -5.0 % at stride 1, +5.0 % at stride 5" in text
    assert "(worse: settled 0.004 m to 0.005 m, speed 1.2 % to 1.3 %); 900 control steps" in text
    assert "2 toy agents, 120 tasks of 24 s; 1 of 2 corrections in use." in text


def test_the_page_tells_minutes_from_nothing(pages, tmp_path):
    import training_section

    assert training_section.from_nothing() == []
    seconds = {"train toy, seed 0": 60.0, "train low": 600.0, "train stride, seed 0": 120.0, "eval low": 30.0}
    figures = {"position_settled_error_m": 0.01, "velocity_windowed_error": 0.02, "transfer_fall_rate": 0.5}
    found = {"steps": seconds | {"report": 30.0}, "seconds": 840.0, "wall_s": 900.0, "figures": figures, "cores": 2}
    (tmp_path / "reproduction.json").write_text(json.dumps({"hopper": found}))
    row = "| hopper | 2 | 1.0 | 10.0 | 2.0 | 1.0 | **15.0** | 0.010 | 2.0 % | 0.500 |"
    assert row in training_section.from_nothing()


def test_what_was_relearned_above_another_low_level_is_not_shown(pages, monkeypatch, tmp_path):
    evaluations, results = pages
    monkeypatch.setattr(results, "relearned_lines", list)
    present = evaluations.models_behind("eval low --body hopper")["hopper/low"]
    found = {"hopper": {"low_sha256": present}, "ant": {"low_sha256": "0" * 64}}
    (tmp_path / "relearned.json").write_text(json.dumps(found))
    assert "hopper" in results.relearned() and "ant" not in results.relearned()


def test_a_bar_is_met_from_the_least_budget_on_after_which_none_misses_it(pages, monkeypatch, tmp_path):
    import minutes_section
    from minutes_section import BARS, bar_row, first_met, minutes, readme_rows

    def budget(share, position, settled):
        steps = {"train toy, seed 0": 60.0 * share, "train low": 120.0 * share, "eval low": 600.0}
        figures = {"position_settled_error_m": position, "position_settled_fraction": settled}
        figures |= {"velocity_windowed_error": 0.017}
        return {"share": share, "cores": 2, "steps": steps, "figures": figures}

    position, settled = (next(bar for bar in BARS if bar.title.endswith(word)) for word in ("position", "that settle"))
    budgets = [budget(0.25, 0.06, 0.5), budget(0.5, 0.08, 1.0), budget(1.0, 0.01, 1.0)]
    assert minutes(budgets[1], position.stages) == 1.5
    assert first_met(position, budgets)["share"] == 1.0 and first_met(settled, budgets)["share"] == 0.5
    assert bar_row(settled, budgets).endswith("| all | 50 % after 0.8 | 100 % after 1.5 | 100 % after 3.0 | **1.5** |")
    assert bar_row(settled, budgets[1:]).endswith("| 100 % after 3.0 | at most **1.5** |")
    assert first_met(settled, budgets[:1]) is None and bar_row(settled, budgets[:1]).endswith("| not met |")
    # All bars, for the README: the contest's position is the last one to be met.
    assert readme_rows() == []
    monkeypatch.setattr(minutes_section, "BARS", (position, settled))
    three = "| 3.0 min, 2 cores (100 % of the iterations, 0.010 m, 1.7 %) |"
    for known, said in ((budgets, three), (budgets[:2], None)):
        (tmp_path / "minutes.json").write_text(json.dumps({"half_cheetah": known}))
        rows = readme_rows()
        assert said in rows[0] if said else rows == []


def test_low_levels_of_other_seeds_have_a_row_each(pages, tmp_path):
    from transfer_section import low_seeds

    assert low_seeds() == []
    velocity = {"windowed_error_mps": 0.02, "windowed_relative_error": 0.011, "settled_fraction": 1.0}
    velocity |= {"instantaneous_error_mps": 0.06, "instantaneous_rms_mps": 0.08}
    position = {"settled_error_m": 0.002, "worst_error_m": 0.004, "settled_fraction": 0.5}
    low = {"goal_error_m": 0.0012, "speed_error_windowed": 0.005, "fall_rate": 0.0}
    error = {"iqm": 1.2, "interval": [1.1, 1.3]}
    row = {"seed": 3, "low": low, "position": position, "velocity": velocity, "integrated_error_s": error}
    (tmp_path / "low_seeds.json").write_text(json.dumps([row | {"fall_rate": 0.0}]))
    told, played = (
        "| 3 | 0.0012 | 0.5 % |",
        " 0.002 (0.004) | 0.020, 1.1 % | 0.50, 1.00 | 1.20 (1.10 to 1.30) | 0.000 |",
    )
    assert f"{told}{played} 0.060 (0.080) |" in low_seeds()
