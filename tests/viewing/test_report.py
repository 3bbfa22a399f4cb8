"""The report: one file that refers to nothing outside, with every number as it is in the result files."""

import json
import re
from html.parser import HTMLParser

import pytest
import synthetic_results
from synthetic_rollouts import holding, rollout

from reinfer.viewing.anchors import HALF_CHEETAH
from reinfer.viewing.contest_table import contest_rows
from reinfer.viewing.latent import latent_figure
from reinfer.viewing.latent_points import record_latents
from reinfer.viewing.progress import read_progress
from reinfer.viewing.reporting import Clip, Evidence, report_html
from reinfer.viewing.reporting.clips import draw_clips
from reinfer.viewing.style import new_figure

#: Attributes by which HTML and SVG fetch things.
_FETCHING = ("src", "href", "xlink:href", "poster", "data", "action", "srcset", "background")


class Page(HTMLParser):
    """What is in a page: attributes that fetch, tags, numbers that say where they are from."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.fetched, self.numbers, self.open = [], [], [], []
        self._number = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.fetched += [found[name] for name in _FETCHING if found.get(name)]
        if "data-value" in found:
            self._number = (found["data-key"], found["data-value"])

    def handle_data(self, data):
        if self._number:
            self.numbers.append((*self._number, data))
            self._number = None


@pytest.fixture(scope="module")
def sources(contest):
    results, _ = contest
    return {"": results, "heldout:": {**results, "n_tasks": 120}, "toy:": synthetic_results.toy()}


@pytest.fixture(scope="module")
def text(contest, sources, tmp_path_factory):
    results, records = contest
    run = tmp_path_factory.mktemp("run")
    (run / "metrics.csv").write_text("iteration,env_steps,score\n1,10,0.5\n2,20,0.25\n")
    points, tasks = record_latents(records[0])
    return report_html(
        Evidence(
            contest=results,
            body="half_cheetah",
            made_by="reinfer report <folder>",
            heldout=sources["heldout:"],
            records=records,
            toy=sources["toy:"],
            low=synthetic_results.low(),
            latent=(latent_figure(points, tasks, methods=("pca",)),) * 2,
            progress=[(read_progress(run), "score")],
            clips=draw_clips(rollout(steps=6), [1], 0.3),
            models={"toy/seed0": {"kind": "toy_agent", "sha256": "0123" * 16, "provenance": {}}},
        )
    )


def look_up(sources, key):
    """The value that ``key`` names: ``source:a.b.c``; keys of objects may hold dots themselves."""
    prefix = next((name for name in sources if name and key.startswith(name)), "")
    value = sources[prefix]
    for part in key.removeprefix(prefix).split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def test_report_fetches_nothing(text):
    page = Page(text)
    assert page.fetched
    assert all(reference.startswith(("data:", "#")) for reference in page.fetched)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "@import" not in text
    assert not re.search(r"url\((?!#|[\"']?data:)", text)


def test_report_has_every_part(text):
    page = Page(text)
    assert page.tags.count("video") == 1
    assert page.tags.count("svg") >= 3 + 2 + 2 + 2 + 2 + 1 + 2
    assert len(text) < 15e6
    assert "Not part of this report" not in text
    for title in (
        "The contest",
        "See it run",
        "How fast it finds out",
        "Where it does worst",
        "The low level",
    ):
        assert f"<h2>{title}</h2>" in text
    assert "reinfer report &lt;folder&gt;" in text
    assert '<meta name="viewport"' in text


def test_commands_make_the_same_clips_and_the_same_latent_map(contest):
    clips = [Clip(b"", b"", "", simulation, 4.5) for simulation in (1, 10)]
    maps = (new_figure()[0],) * 2
    evidence = Evidence("x", "half_cheetah", contest[0], clips=clips, source="kept", latent=maps)
    text = report_html(evidence)
    for number in (1, 10):
        assert f"reinfer video kept --simulation {number} --seconds 4.5 --output rollout_{number}.mp4" in text
    assert "reinfer plot latent MODEL --output latent.svg" in text
    played = {"latent_record": "transfer/a.safetensors", "latent_record_made_by": "reinfer transfer --out transfer"}
    text = report_html(evidence._replace(**played))
    drawn_by = "reinfer plot latent MODEL --records transfer/a.safetensors --output latent.svg"
    assert f"reinfer transfer --out transfer\n{drawn_by}" in text


def test_every_number_is_that_of_its_source(text, sources):
    numbers = Page(text).numbers
    assert len(numbers) > 100
    for key, value, shown in numbers:
        truth = look_up(sources, key)
        assert value == repr(truth), key
        if truth is None:
            continue
        amount, unit = re.fullmatch(r"(-?[\d.]+) ?(.*)", shown).groups()
        digits = len(amount.partition(".")[2])
        scale = 100.0 if unit == "%" else 1.0
        assert amount == f"{scale * truth:.{digits}f}", key


def test_headlines_are_those_of_the_contest(text, contest):
    results, _ = contest
    tiles = re.findall(r'<div data-key="([^"]+)"><b>([^<]+)</b>', text)
    assert [key for key, _ in tiles][:2] == ["position.settled_error_m", "velocity.windowed_relative_error"]
    assert tiles[0][1] == f"{results['position']['settled_error_m']:.3f} m"
    assert tiles[1][1] == f"{100 * results['velocity']['windowed_relative_error']:.1f} %"


def test_table_labels_who_is_told(contest):
    results, _ = contest
    rows = contest_rows(results, "half_cheetah")
    assert [row.kind for row in rows] == ["published"] * len(HALF_CHEETAH) + ["ours"] + ["comparator"] * 3
    told = {row.name for row in rows if row.told != "nothing"}
    assert told == {"ReMAP: toy encoder reused", "Oracle"}
    published = [row.position.text for row in rows if row.kind == "published"]
    assert published == ["1.48 m", "0.073 m", "1.67 m", "2.85 m"]
    assert contest_rows(results, "somebody")[0].kind == "ours"


def test_worst_tasks_come_first(text, contest):
    results, _ = contest
    listed = [int(key.split(".")[1]) for key, _, _ in Page(text).numbers if re.match(r"by_task\.\d+\.relative", key)]
    errors = [row["relative_error"] for row in results["by_task"]]
    assert listed == sorted(range(len(errors)), key=lambda index: -errors[index])[:5]


def test_a_sweep_tells_what_became_of_its_trials_and_what_settings_are_worth():
    def trial(encoder, seed, status, score, error=""):
        told = {"trial": f"encoder-{encoder}_seed-{seed}", "encoder": encoder, "seed": str(seed), "status": status}
        return told | {"score_name": "target_error", "score": score, "seconds": "9.5", "starts": "1", "error": error}

    rows = [
        trial("gru", 0, "done", "0.25"),
        trial("gru", 1, "done", "0.75"),
        trial("mlp", 0, "failed", "", "ValueError: <no>"),
    ]
    text = report_html(Evidence(sweeps=[("runs/sweep", rows)], made_by="reinfer report runs/sweep"))
    assert "3 trials in runs/sweep: 2 done, 1 failed." in text and "<small>ValueError: &lt;no&gt;</small>" in text
    plain = re.sub(r"<[^>]+>", " ", text).split()
    assert " ".join(plain).count("gru 2 0.5 0.25 to 0.75 mlp 0") == 1


def test_what_is_absent_says_how_to_get_it(contest):
    results, _ = contest
    text = report_html(Evidence(contest=json.loads(json.dumps(results)), body="half_cheetah", made_by="x"))
    assert text.count("Not part of this report") == 5
    assert "reinfer eval toy --model MODEL --json &gt; toy.json" in text
    assert "reinfer report MODEL" in text


def test_reference_returns_are_those_of_the_very_toy(contest):
    def told(body):
        page = report_html(Evidence("x", "half_cheetah", contest[0], toy=synthetic_results.toy() | {"body": body}))
        found = re.findall(r"(?:published implementation|controller that is told)[^<]*</td><td[^>]*>([^<]*)", page)
        return found, "told the task shows what can be" in page

    assert told("toy1d") == (["-55.00", "-6.25"], True)
    assert told("toy3dof") == (["-79", "about -18"], True)
    assert told("toy2d") == told(None) == ([], False)


def test_intervals_and_falls_are_shown(contest):
    results, records = json.loads(json.dumps(contest[0])), contest[1]
    fallen = records[0].fallen.copy()
    fallen[30:, 4] = True
    results["fall_rate"] = 1 / 24
    results["by_task"][4]["fall_rate"] = 0.5
    evidence = Evidence("x", "half_cheetah", results, records=[records[0]._replace(fallen=fallen), *records[1:]])
    text = report_html(evidence)
    low, high = results["position"]["settled_error"]["interval"]
    assert f"({low:.3f}\N{EN DASH}{high:.3f})" in text
    assert "4.2 % of all episodes had a fall, in 1 of 12 tasks." in text and ">1.5 s<" in text


def test_stands_and_jumps_are_reported(contest):
    held = {
        "stand": {"settled_error_rad": 0.0123, "settled_fraction": 1.0},
        "jump": {"peak_relative_error": 0.0456, "settled_fraction": 0.5},
    }
    results = json.loads(json.dumps(contest[0])) | held | {"by_task": []}
    for name in ("oracle", "random", "zero"):
        results[name] |= held
    text = report_html(Evidence("x", "half_cheetah", results, records=[holding()]))
    assert text.count(">0.012 rad<") == text.count(">4.6 %<") == 4
    assert "Pitch over time" in text and "Vertical speed over time" in text
