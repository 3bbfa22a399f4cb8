"""Figures hold what they should: one line per track, one target per task, labels with units."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Ellipse
from synthetic_results import NaiveToy
from synthetic_rollouts import holding, rollout

from reinfer.inference.mixture import MixtureConfig, export_prior, fit, init_state
from reinfer.runs import random
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.tasks import FAMILY_NAMES, Tasks
from reinfer.viewing.belief import belief_figure, decisions
from reinfer.viewing.comparison import comparison_figure
from reinfer.viewing.latent import Components, components_of, latent_figure
from reinfer.viewing.latent_points import record_latents, toy_latents
from reinfer.viewing.progress import progress_figure, read_progress
from reinfer.viewing.series import moving_average
from reinfer.viewing.stride import stride_figure
from reinfer.viewing.style import FAMILY_COLOUR, save_figure, shades, svg_of
from reinfer.viewing.tracks import pick, tracks_figure


def lines(panel, gid):
    return [line for line in panel.lines if line.get_gid() == gid]


#: Linear RGB as protanopes and deuteranopes see it (Machado, Oliveira and Fernandes 2009, severity 1).
_PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
_DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]


def lab(linear):
    """CIELAB of linear sRGB, white point D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(linear, 0, 1) / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("seen", [np.eye(3), _PROTAN, _DEUTAN], ids=["all cones", "no red", "no green"])
def test_family_colours_stay_apart(seen):
    colours = np.array([to_rgb(FAMILY_COLOUR[name]) for name in FAMILY_NAMES[:4]])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    points = [lab(np.array(seen) @ colour) for colour in linear]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]]
    assert min(apart) > 25


def test_shades_deepen_with_their_share():
    assert (np.diff(shades("#0072b2", [0.0, 0.3, 0.6, 1.0]).sum(axis=1)) < 0).all()


def test_moving_average_keeps_constants_and_means():
    assert moving_average(np.full(9, 3.0), 4) == pytest.approx(np.full(9, 3.0))
    values = np.random.default_rng(0).normal(size=(50, 2))
    assert moving_average(values, 5)[20] == pytest.approx(values[18:23].mean(axis=0))
    assert moving_average(values, 5)[0] == pytest.approx(values[:3].mean(axis=0))
    holed = np.array([1.0, np.nan, 3.0])
    assert moving_average(holed, 3) == pytest.approx([1.0, 2.0, 3.0])


def test_tracks_have_a_line_per_seed_and_a_target_per_task():
    records = [rollout(seed) for seed in range(3)]
    position, velocity = tracks_figure(records).axes
    for panel in (position, velocity):
        assert len(lines(panel, "track")) == 3 * 6
        assert len(lines(panel, "target")) == 6
        assert panel.get_xlabel() == "simulated time (s)"
        assert panel.get_xlim()[1] == pytest.approx(120 * 0.05)
    assert {text.get_text() for text in position.texts} == {
        "+9.02", "+5.10", "+3.14", "-3.14", "-5.10", "-9.02",
    }  # fmt: skip
    drawn = lines(position, "track")[0]
    assert drawn.get_ydata() == pytest.approx(records[0].task_state[:, 0, 0])
    assert "(m)" in position.get_ylabel() and "(m/s)" in velocity.get_ylabel()


def test_velocity_is_averaged_over_a_gait_cycle_and_falls_are_marked():
    record = rollout()
    record.fallen[50:, 7] = True
    panel = tracks_figure([record], ("velocity",)).axes[0]
    raw = record.task_state[:, 7, 3]
    drawn = lines(panel, "track")[1].get_ydata()
    assert np.std(drawn[60:]) < 0.3 * np.std(raw[60:])
    (mark,) = lines(panel, "fall")
    assert mark.get_xdata() == pytest.approx(2.5)


def test_tracks_of_many_tasks_are_thinned_but_reach_the_extremes():
    pairs = [("goal_forward", 0.2 + 0.1 * i) for i in range(60)]
    panel = tracks_figure([rollout(pairs=pairs, steps=20)], ("goal",), limit=8).axes[0]
    targets = sorted(line.get_ydata()[0] for line in lines(panel, "target"))
    assert len(targets) == 8
    assert (targets[0], targets[-1]) == pytest.approx((0.2, 6.1))


def test_tracks_have_a_panel_per_kind_of_task():
    record = holding()
    record.task_state[:, 1, 4] = -1.5
    pitch, jump = tracks_figure([record]).axes
    assert "(rad)" in pitch.get_ylabel() and "(m/s)" in jump.get_ylabel()
    # What counts is the size of the vertical speed.
    assert lines(jump, "track")[0].get_ydata() == pytest.approx(1.5)


def test_picked_tasks_keep_their_own_data():
    record = rollout()
    few = pick(record, [7, 2])
    assert few.tasks.describe() == [record.tasks.describe()[7], record.tasks.describe()[2]]
    assert few.qpos.shape == (121, 2, 9) and few.control_dt_s == record.control_dt_s
    assert (few.task_state[:, 1] == record.task_state[:, 2]).all()
    assert (few.family_probability[:, 0] == record.family_probability[:, 7]).all()


def test_decisions_judge_the_true_family():
    record = rollout(steps=40)
    record.family_probability[:, 0] = (0.7, 0.1, 0.2, 0.0)
    record.fallen[20:, 1] = True
    found = decisions([record])
    informed = record.is_decision & (record.rows > 0)
    assert len(found["rows"]) == informed.sum() - informed[20:, 1].sum()
    of_first = np.isclose(found["probability"], 0.2)
    assert of_first.sum() == informed[:, 0].sum()
    assert not found["correct"][of_first].any()
    assert found["rows"].min() == 1


def test_belief_figure_has_a_curve_per_family():
    family, target = belief_figure([rollout(0), rollout(1)]).axes
    assert [line.get_label() for line in family.lines] == [name.replace("_", " ") for name in FAMILY_NAMES[:4]]
    final = [line.get_ydata()[-1] for line in family.lines]
    assert min(final) > 0.95
    assert target.get_yscale() == "log"


def test_stride_figure_shows_shares_of_decisions():
    record = rollout()
    over_time, histogram = stride_figure([record]).axes
    assert len(over_time.lines) == 4
    assert over_time.lines[0].get_ydata() == pytest.approx(record.stride[:, 0])
    assert sum(bar.get_height() for bar in histogram.patches) == pytest.approx(100.0)


def latents(seed=0, count=200):
    rng = np.random.default_rng(seed)
    family = rng.integers(0, 4, count)
    target = np.where(family % 2, -1, 1) * rng.uniform(1, 5, count)
    return 4.0 * np.eye(5)[family] + 0.2 * rng.normal(size=(count, 5)), Tasks(family, target)


def test_latent_map_projects_components_with_their_covariance():
    points, tasks = latents()
    config = MixtureConfig()
    state, _ = fit(init_state(5, config.max_components), points, config, np.random.default_rng(0))
    components = components_of(export_prior(state, config))
    assert len(components.mean) == state.active.sum() >= 4
    assert 0.9 < components.weight.sum() <= 1.0 + 1e-6
    guests = Tasks(tasks.family[:8], tasks.target[:8])
    figure = latent_figure(points, tasks, components, guests=points[:8], guest_tasks=guests)
    pca, tsne = figure.axes
    outlines = [patch for patch in pca.patches if isinstance(patch, Ellipse) and not patch.get_fill()]
    assert len(outlines) == len(components.mean)
    assert not tsne.patches
    shown = [collection.get_offsets() for collection in pca.collections]
    assert sum(map(len, shown)) == len(points) + 8
    for outline in outlines:
        distances = [np.hypot(*(points - outline.center).T).min() for points in shown if len(points)]
        assert min(distances) < max(outline.width, outline.height)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:4] == [name.replace("_", " ") for name in FAMILY_NAMES[:4]]
    assert labels[4:] == ["on the toy", "on the robot"]


def test_a_latent_of_one_dimension_is_mapped_with_a_second_axis_of_zeros():
    points, tasks = latents(count=60)
    normal = Components(np.zeros((1, 1)), np.ones((1, 1, 1)), np.ones(1))
    figure = latent_figure(points[:, :1], tasks, normal, guests=points[:6, :1], guest_tasks=tasks[:6])
    shown = np.concatenate([collection.get_offsets() for collection in figure.axes[0].collections])
    assert len(shown) == 66 and np.ptp(shown[:, 0]) > 1.0 and not shown[:, 1].any()
    (ellipse, _) = (patch for patch in figure.axes[0].patches if isinstance(patch, Ellipse))
    assert (ellipse.width, ellipse.height) == pytest.approx((4.0, 0.0))
    assert svg_of(figure)


def test_ellipse_covers_two_standard_deviations():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(3000, 2)) * (3.0, 0.5)
    tasks = Tasks(np.zeros(3000, int), np.linspace(1, 2, 3000))
    one = Components(points.mean(0)[None], np.cov(points.T)[None], np.ones(1))
    panel = latent_figure(points, tasks, one, methods=("pca",)).axes[0]
    ellipse = next(patch for patch in panel.patches if isinstance(patch, Ellipse))
    assert sorted((ellipse.width, ellipse.height)) == pytest.approx([4 * 0.5, 4 * 3.0], rel=0.1)


def test_latent_points_come_from_toy_and_record():
    points, tasks = toy_latents(NaiveToy(), random.key(0, "test"), count=6, steps=3)
    # After two steps of full speed x is 1 m, and the last row says vx = 5 m/s.
    assert points.shape == (6, 4) and tasks.count == 6
    assert points[:, 1] == pytest.approx(5.0)
    assert points[:, 0] == pytest.approx(1.0, abs=0.02)
    record = rollout()
    record.fallen[-1, 3] = True
    robot_points, robot_tasks = record_latents(record)
    assert robot_points.shape == (5 * 11, 4)
    assert robot_tasks.count == 55
    assert robot_points[-1] == pytest.approx(record.latent[-1, -1])


def test_comparison_marks_who_is_told(contest):
    results, _ = contest
    panel = comparison_figure({"half_cheetah": results}, ("position",)).axes[0]
    agents = {
        label.get_text(): mark for label, mark in zip(panel.get_yticklabels(), lines(panel, "agent"), strict=True)
    }
    assert agents["reinfer"].get_xdata()[0] == pytest.approx(max(results["position"]["settled_error_m"], 1e-3))
    assert agents["Thesis: toy policy reused"].get_xdata()[0] == pytest.approx(1.48)
    hollow = {name for name, mark in agents.items() if mark.get_markerfacecolor() == "white"}
    assert hollow == {"ReMAP: toy encoder reused (told)", "Oracle (told)"}


def test_comparison_of_several_contests_has_their_oracles(contest):
    results, _ = contest
    panel = comparison_figure({"first": results, "second": {**results, "body": "hopper"}}, ("position",)).axes[0]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["first", "Oracle, first (told)", "second", "Oracle, second (told)"], "no anchors hold for both"


def write_metrics(folder, text):
    folder.mkdir()
    (folder / "metrics.csv").write_text(text)
    return folder


def test_progress_overlays_runs_against_steps(tmp_path):
    rows = "iteration,env_steps,score,loss\n" + "".join(f"{i},{100 * i},{-9.0 / i},0.5\n" for i in range(1, 5))
    first = read_progress(write_metrics(tmp_path / "first", rows + "5,500,-1."))
    second = read_progress(write_metrics(tmp_path / "second", rows), "other")
    panels = progress_figure([first, second], ["score", "loss"]).axes
    assert [panel.get_title(loc="left") for panel in panels] == ["score", "loss"]
    assert [line.get_label() for line in panels[0].lines] == ["first", "other"]
    assert panels[0].lines[0].get_xdata() == pytest.approx([100, 200, 300, 400])
    assert panels[0].lines[0].get_ydata()[0] == pytest.approx(-9.0)


def test_progress_names_what_is_wrong(tmp_path):
    with pytest.raises(ArtifactError, match="no metrics at"):
        read_progress(tmp_path)
    with pytest.raises(ArtifactError, match="damaged"):
        read_progress(write_metrics(tmp_path / "a", "iteration,env_steps,score\n1,2,x\n"))
    with pytest.raises(ArtifactError, match="0 rows"):
        read_progress(write_metrics(tmp_path / "b", "iteration,env_steps,score\n"))
    run = read_progress(write_metrics(tmp_path / "c", "iteration,env_steps,score\n1,2,3\n"))
    with pytest.raises(ConfigError, match="metric: 'lose' is not recorded in c; it has score"):
        progress_figure([run], ["lose"])


def test_pictures_are_reproducible_and_scale(tmp_path):
    draw = lambda: tracks_figure([rollout(steps=10)], ("goal",))  # noqa: E731
    assert svg_of(draw()) == svg_of(draw())
    head = svg_of(draw()).split(">", 1)[0]
    assert "viewBox" in head and "width=" not in head
    save_figure(draw(), tmp_path / "tracks.png")
    assert (tmp_path / "tracks.png").read_bytes()[:4] == b"\x89PNG"
