"""What the page draws: well-formed, true to the session, no older than it says."""

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.decomposition import PCA

from reinfer.inference.agent import ToyAgent
from reinfer.inference.mixture import standard_normal_prior
from reinfer.runs.directory import resolve
from reinfer.tasks import family_index
from reinfer.viewing.latent import components_of
from reinfer.viewing.live import panels
from reinfer.viewing.live.chart import Chart, round_ticks
from reinfer.viewing.live.history import SPAN_S, History
from reinfer.viewing.live.latent_map import latent_map_of
from reinfer.viewing.live.pacing import FORGIVEN_S, Pacer
from reinfer.viewing.live.session import Snapshot


@pytest.fixture(scope="module")
def toy():
    return ToyAgent.load(resolve("shipped:toy/seed0"))


def moment(time_s, *, family="goal_forward", target=4.0, likely=2, estimate=4.01, episode=1, told=False, x=1.0):
    """A snapshot of a robot at ``x``."""
    probability, estimates = np.full(4, 0.01), np.array([1.0, -1.0, 2.0, -2.0])
    probability[likely], estimates[likely] = 0.97, estimate
    return Snapshot(
        time_s, episode, "half_cheetah", "oracle" if told else "toy", told, False, False, 0, np.zeros((5, 9)),
        np.array([x, 0.0, 0.0, 0.5, 0.0, 0.0]), -0.5, family_index(family), target, 3, 7, 2, True, 0, 1.5,
        probability, estimates, np.full(5, 0.1 * time_s),
    )  # fmt: skip


def history_of(moments):
    history = History()
    for one in moments:
        history.add(one)
    return history


def drawings(html):
    """The SVG elements in ``html``, parsed: this fails unless they are well-formed."""
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def test_summary_says_task_and_belief():
    said = panels.summary(moment(1.0))
    assert "goal forward +4.00 m" in said and "goal forward +4.01 m" in said and ">found, 3 looks" in said
    wrong = panels.summary(moment(1.0, family="velocity_forward", target=2.0))
    assert "velocity forward +2.00 m/s" in wrong and "not found yet" in wrong
    assert "hidden" in said and "hidden" not in panels.summary(moment(1.0, told=True))
    assert "ORACLE" in panels.summary(moment(1.0, told=True))


def test_probabilities_are_the_numbers_drawn():
    (drawing,) = drawings(panels.probabilities(moment(1.0)))
    widths = [float(bar.get("width")) for bar in drawing.iter("rect") if bar.get("opacity") is None]
    np.testing.assert_allclose(np.array(widths) / 160, [0.01, 0.01, 0.97, 0.01], atol=1e-3)


def test_all_panels_are_well_formed(toy):
    moments = [moment(0.05 * i, x=0.01 * i, episode=1 + (i > 60)) for i in range(100)]
    changed = [
        moment(5.0 + 0.05 * i, family="velocity_backward", target=-2.0, likely=1, estimate=-1.9) for i in range(50)
    ]
    history = history_of(moments + changed)
    now = changed[-1]
    html = panels.course(history, now, ("goal", "velocity")) + panels.signals(history, now)
    assert len(drawings(html)) == 5
    chart = latent_map_of(toy)
    latent = np.zeros(chart.axes.shape[1])
    history = history_of([one._replace(latent=latent + 0.01 * one.time_s) for one in moments])
    (drawing,) = drawings(panels.latent(history, moments[-1], chart))
    assert len(list(drawing.iter("ellipse"))) == len(chart.outlines)
    assert "infers nothing" in panels.latent(history, moment(1.0, told=True), chart)
    assert "no mixture" in panels.latent(history, moment(1.0), None)


def test_history_keeps_the_last_seconds_of_one_body():
    history = history_of([moment(0.5 * i) for i in range(200)])
    series = history.series()
    assert series.time_s[-1] == 0.0 and -SPAN_S <= series.time_s[0] <= -SPAN_S + 0.5
    history.add(moment(99.5))
    assert len(history.series().time_s) == len(series.time_s)
    history.add(moment(100.0)._replace(body="hopper"))
    assert len(history.series().time_s) == 1


def test_trail_is_that_of_the_present_episode():
    history = history_of([moment(0.5 * i, episode=1 + i // 10) for i in range(15)])
    trail = history.latents(16)
    np.testing.assert_allclose(trail[:, 0], 0.1 * 0.5 * np.arange(10, 15))
    np.testing.assert_allclose(history.latents(3)[:, 0], 0.1 * 0.5 * np.arange(12, 15))


def test_lines_break_where_an_episode_ends():
    chart = Chart("", 0, 1, 10)
    chart.line(-np.arange(6.0)[::-1], np.linspace(0, 1, 6), "#000", breaks=np.array([1, 1, 1, 2, 2, 2]))
    assert re.search(r'd="(M[^"]*)" fill="none"', chart.svg())[1].count("M") == 2


def test_ticks_are_round_and_within():
    np.testing.assert_allclose(round_ticks(-0.25, 5.35), [0, 2, 4])
    assert len(round_ticks(0.0, 1e-3)) <= 6


def test_latent_map_is_the_pca_of_the_mixture(toy):
    chart, components = latent_map_of(toy), components_of(toy.params.prior)
    rng = np.random.default_rng(0)
    share = components.weight / components.weight.sum()
    which = rng.choice(len(share), 20_000, p=share)
    draws = np.array([rng.multivariate_normal(components.mean[k], components.covariance[k]) for k in which])
    fitted = PCA(2).fit(draws)
    np.testing.assert_allclose(np.abs(np.sum(fitted.components_ * chart.axes, axis=1)), 1.0, atol=0.02)
    np.testing.assert_allclose(fitted.explained_variance_ratio_, chart.explained, atol=0.02)
    np.testing.assert_allclose(chart.project(components.mean), [o.centre for o in chart.outlines], atol=1e-9)
    assert {o.family for o in chart.outlines} == {0, 1, 2, 3}


def test_latent_map_of_one_dimension_has_a_second_axis_of_zeros():
    normal = standard_normal_prior(1, 1)._replace(uid=np.array([-1, 0]))
    chart = latent_map_of(SimpleNamespace(architecture="melts", params=SimpleNamespace(prior=normal)))
    np.testing.assert_allclose(chart.project([[2.0]]) - chart.project([[0.0]]), [[2.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(chart.explained, [1.0, 0.0])
    assert [(outline.width, outline.height) for outline in chart.outlines] == [(4.0, 0.0)]


def test_pacer_keeps_time_and_forgives_what_cannot_be_made_up_for():
    clock = SimpleNamespace(now=0.0)
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    clock.monotonic = lambda: clock.now
    pacer = Pacer(clock)
    for _ in range(80):
        clock.now += 0.01
        pacer.wait(0.025)
        pacer.shown()
        pacer.stepped(0.025)
    assert clock.now == pytest.approx(2.0) and max(pacer.lags_s) < 1e-9
    assert pacer.states_per_s == pytest.approx(40.0) and pacer.speed == pytest.approx(1.0)
    clock.now += 5.0
    pacer.wait(0.025)
    assert pacer.slips == 1 and pacer.lag_s > FORGIVEN_S
    began = clock.now
    pacer.wait(0.025)
    assert clock.now == pytest.approx(began + 0.025)
