"""The commands that draw: what they write, and one line for every mistake."""

import json

import numpy as np
import pytest
import synthetic_results
from synthetic_rollouts import rollout

from reinfer.bodies import robot
from reinfer.cli.demo import DemoOptions, model_references
from reinfer.cli.main import main
from reinfer.cli.playing import options_of
from reinfer.cli.records import load_records_of
from reinfer.cli.report import _first_record_of
from reinfer.cli.sources import Team, sort, teams
from reinfer.evaluation.contest import standard_tasks
from reinfer.evaluation.transfer import Contest
from reinfer.inference.agent import ToyAgent
from reinfer.runs.directory import RunDirectory, resolve
from reinfer.runs.models import load_model
from reinfer.stages.toy import ToyConfig
from reinfer.transfer.record import save_record
from reinfer.viewing.latent_points import record_latents


def fails(capsys, *arguments):
    """The one line on standard error of a command that exits with 2 and prints nothing else."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.err.startswith("reinfer: error: ") and said.err.count("\n") == 1
    return said.err


def test_plots_of_records(transfer_folder, tmp_path, capsys):
    for kind in ("tracks", "belief", "stride", "compare"):
        path = tmp_path / "deep" / f"{kind}.svg"
        assert main(["plot", kind, str(transfer_folder), "--output", str(path)]) == 0
        assert path.read_text().lstrip().startswith("<?xml")
    assert f"figure: {path}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"toy_sha256": "0123" * 16}, "is of the toy agent of SHA-256 0123012301230123; allowed: those of shipped:toy"),
        ({"latent": np.ones((6, 12, 3))}, "has 3 latent dimensions and 4 families; allowed: those of shipped:toy2d/"),
        ({"latent": np.ones((6, 12, 8))}, "has 8 latent dimensions and 4 families; allowed: those of shipped:toy2d/"),
        ({"latent": np.zeros((6, 12, 1))}, "is of an agent without latents; allowed: those of shipped:toy2d/seed0"),
    ],
)
def test_a_latent_map_is_of_records_of_its_own_agent(changes, said, tmp_path, capsys):
    path = tmp_path / "record.safetensors"
    save_record(path, rollout(steps=6)._replace(**changes))
    words = ["--records", str(path), "--output", str(tmp_path / "map.png")]
    assert f"records: {path} {said}" in fails(capsys, "plot", "latent", "shipped:toy2d/seed0", *words)


def test_records_of_the_very_agent_are_on_its_latent_map(tmp_path):
    agent, path = ToyAgent.load(resolve("shipped:toy/seed0")), tmp_path / "record.safetensors"
    for digest in (agent.sha256, ""):
        save_record(path, rollout(steps=6)._replace(toy_sha256=digest, latent=np.ones((6, 12, 8))))
        assert [record.toy_sha256 for record in load_records_of(agent, "shipped:toy/seed0", [path])] == [digest]


def test_plot_of_the_scores_that_a_model_tells(tmp_path):
    path = tmp_path / "scores.svg"
    places = [f"shipped:scratch/cheetah-vel/{name}-seed0" for name in ("pearl", "rl2")]
    assert main(["plot", "progress", *places, "--output", str(path)]) == 0
    assert "scratch/cheetah-vel/rl2-seed0" in path.read_text() and "return held out" in path.read_text()


def test_plot_of_progress(tmp_path):
    (tmp_path / "metrics.csv").write_text("iteration,env_steps,score\n1,10,0.5\n2,20,0.25\n")
    path = tmp_path / "progress.png"
    assert main(["plot", "progress", str(tmp_path), "--metric", "score", "--output", str(path)]) == 0
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_video_command(transfer_folder, tmp_path, capsys):
    path = tmp_path / "clip.mp4"
    arguments = ["--simulation", "2", "--seconds", "0.5", "--output", str(path)]
    assert main(["video", str(transfer_folder), *arguments]) == 0
    assert path.stat().st_size > 1000
    assert "(10 frames)" in capsys.readouterr().out


def test_demo_command(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "report"
    monkeypatch.setattr("reinfer.cli.demo.prepare", lambda options: synthetic_results.played(1, 60))
    monkeypatch.setattr("reinfer.evaluation.low_level.evaluate_low_level", lambda *_, **__: synthetic_results.low())
    monkeypatch.setattr("reinfer.evaluation.toy.evaluate_toy", lambda *_: synthetic_results.toy())
    monkeypatch.setattr("reinfer.cli.demo._CLIP_S", 0.5)
    monkeypatch.setenv("REINFER_COMPILATION_CACHE", "0")
    monkeypatch.setattr("reinfer.cli.demo.model_references", lambda options: [])
    # An older report is replaced.
    folder.mkdir()
    (folder / "report.html").write_text("old")
    assert main(["demo", "--seeds", "1", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert said.rstrip().endswith(f"report: file://{folder}/report.html")
    assert "ReMAP" in said and "THE TARGET" in said
    text = (folder / "report.html").read_text()
    assert text.count("<video") == 2 and "<h2>What the encoder knows</h2>" in text
    written = {path.name for path in folder.iterdir()}
    assert {"tracks.png", "belief.png", "stride.png", "latent_pca.png", "transfer"} < written
    results = json.loads((folder / "transfer" / "transfer.json").read_text())
    assert [toy["reference"] for toy in results["toys"]] == ["shipped:toy/seed0"]
    record = f"{folder}/transfer/toy_stride_5_seed0.safetensors"
    assert f"reinfer plot latent shipped:toy/seed0 --records {record} --output latent.svg" in text
    # What the demo leaves behind is what the report command reads.
    again = tmp_path / "again.html"
    assert main(["report", str(folder / "transfer"), "--no-video", "--output", str(again)]) == 0


def test_demo_lists_the_models_it_uses():
    names = model_references(DemoOptions(seeds=2))
    assert names == [
        *("shipped:toy/seed0", "shipped:toy/seed1", "shipped:half_cheetah/low"),
        *("shipped:half_cheetah/stride/seed0", "shipped:half_cheetah/stride/seed1"),
    ]
    assert model_references(DemoOptions(toy=("a",), low="b", stride="rule")) == ["a", "b"]
    assert model_references(DemoOptions(tasks="multi", seeds=1)) == [
        "shipped:toy3dof/seed0",
        "shipped:half_cheetah/multi",
        "shipped:half_cheetah/multi_stride/seed0",
    ]


def test_demo_spares_other_folders(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("dear")
    assert "holds no report; nothing was overwritten" in fails(capsys, "demo", "--out", str(tmp_path))


def test_what_cannot_be_written_is_said_before_anything_is_drawn(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("reinfer.cli.demo.show", lambda *_: pytest.fail("it was shown"))
    monkeypatch.setattr("reinfer.cli.plot._latent", lambda *_: pytest.fail("it was drawn"))
    (tmp_path / "file").write_text("a file")
    assert "report.html cannot be written: " in fails(capsys, "demo", "--out", str(tmp_path / "file" / "out"))
    said = fails(capsys, "plot", "latent", "shipped:toy/seed0", "--output", str(tmp_path / "file" / "a.png"))
    assert "a.png cannot be written: " in said


def test_report_command(transfer_folder, tmp_path, capsys):
    toy, low, path = tmp_path / "toy.json", tmp_path / "low.json", tmp_path / "out" / "report.html"
    toy.write_text(json.dumps(synthetic_results.toy()))
    low.write_text(json.dumps(synthetic_results.low()))
    run = make_run(tmp_path)
    arguments = [str(low), str(run), str(toy), "--no-video", "--output", str(path)]
    assert main(["report", str(transfer_folder), *arguments]) == 0
    assert str(path) in capsys.readouterr().out
    text = path.read_text()
    for title in ("What was run", "The contest", "The low level", "Learning on the toy", "Learning curves"):
        assert f"<h2>{title}</h2>" in text
    assert "reinfer train toy --name line" in text and f"reinfer plot tracks {transfer_folder}" in text


def test_a_robot_is_on_the_latent_map_of_the_very_agent_it_had(contest, tmp_path, monkeypatch):
    results, (record, _) = contest
    folder, mapped = tmp_path / "the contest", []
    save_record(folder / f"toy_stride_{results['stride']}_seed0.safetensors", record)

    def on_latent_map(agent, records):
        mapped.append([record.body for record in records])
        points, tasks = record_latents(record)
        return {"latents": points, "tasks": tasks}

    monkeypatch.setattr("reinfer.cli.plot.on_latent_map", on_latent_map)
    monkeypatch.setattr("reinfer.evaluation.toy.evaluate_toy", lambda *_: synthetic_results.toy())
    own, other = (load_model(resolve(f"shipped:toy/seed{seed}")).sha256 for seed in (0, 1))
    for toys in ([own, other], [other, own], []):
        told = {"seeds": [0], "toys": [{"reference": "the toy", "sha256": digest} for digest in toys]}
        (folder / "transfer.json").write_text(json.dumps(results | told))
        page = tmp_path / "report.html"
        words = ["--no-video", "--output", str(page)]
        assert main(["report", str(folder), "shipped:toy/seed0", *words]) == 0
        records = f" --records &#x27;{folder}/toy_stride_5_seed0.safetensors&#x27;" if mapped[-1] else ""
        assert f"reinfer plot latent shipped:toy/seed0{records} --output latent.svg" in page.read_text()
    assert mapped == [["half_cheetah"], [], []]


def test_a_report_tells_how_to_keep_the_record_of_what_played_for_it(contest):
    played = contest[0] | {"command": "reinfer transfer --low mine"}
    assert _first_record_of(played, []) == {
        "latent_record": "transfer/toy_stride_5_seed0.safetensors",
        "latent_record_made_by": "reinfer transfer --low mine --out transfer",
    }


def test_report_judges_a_low_level_beside_a_kept_contest(transfer_folder, tmp_path, monkeypatch):
    judged, path = [], tmp_path / "report.html"

    def judge(policy, body, seed, threads):
        judged.append((policy.body.name, body.name))
        return synthetic_results.low()

    monkeypatch.setattr("reinfer.evaluation.low_level.evaluate_low_level", judge)
    sources, options = ["report", str(transfer_folder)], ["--no-video", "--output", str(path)]
    assert main([*sources, *options]) == 0 and judged == []
    assert "low.json among what the report is made of" in path.read_text()
    assert main([*sources, "shipped:half_cheetah/low", *options]) == 0
    assert judged == [("half_cheetah", "half_cheetah")]
    assert "low.json among what the report is made of" not in path.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["plot", "tracks", "{folder}", "shipped:half_cheetah/low"],
            "shipped:half_cheetah/low: models play only where",
        ),
        (["plot", "belief", "{folder}", "{folder}/transfer.json"], "transfer.json: results have no records"),
        (["plot", "compare", "{folder}", "shipped:toy/seed0"], "shipped:toy/seed0: models play only where"),
        (["plot", "compare", "{folder}", "{record}"], "single records are no contest"),
        (["video", "{record}", "shipped:half_cheetah/low"], "shipped:half_cheetah/low: models play only where"),
        (["video", "{record}", "{folder}/transfer.json"], "transfer.json: results have no records"),
        (["report", "{folder}", "{record}"], "single records are no part of a report"),
        (["report", "{folder}", "{toy}", "{toy}"], "a second result of `reinfer eval toy`"),
        (["report", "{folder}", "{low}", "{low}"], "two results of `reinfer eval low` on half_cheetah"),
        (["report", "{folder}", "{heldout}", "{heldout}"], "are both contests on held-out tasks on half_cheetah"),
    ],
)
def test_nothing_that_is_named_is_left_out_silently(words, said, transfer_folder, tmp_path, capsys):
    contest = json.loads((transfer_folder / "transfer.json").read_text())
    results = {
        "toy": synthetic_results.toy(),
        "low": synthetic_results.low() | {"body": "half_cheetah"},
        "heldout": contest | {"tasks": "heldout"},
    }
    places = {name: tmp_path / f"{name}.json" for name in results}
    for name, path in places.items():
        path.write_text(json.dumps(results[name]))
    places |= {"folder": transfer_folder, "record": next(transfer_folder.glob("*.safetensors"))}
    assert said in fails(capsys, *(word.format(**places) for word in words))


def test_report_without_a_contest_says_how_to_get_one(tmp_path):
    path = tmp_path / "report.html"
    assert main(["report", str(make_run(tmp_path)), "--output", str(path)]) == 0
    text = path.read_text()
    assert "<h1>What these runs reached</h1>" in text and "<h2>Learning curves</h2>" in text
    assert "reinfer report TOY_RUN LOW_RUN" in text and "See it run" not in text


def test_report_of_two_robots_has_a_chapter_each(transfer_folder, tmp_path):
    other, path = tmp_path / "hopper.json", tmp_path / "report.html"
    results = json.loads((transfer_folder / "transfer.json").read_text())
    other.write_text(json.dumps({**results, "body": "hopper"}))
    assert main(["report", str(transfer_folder), str(other), "--no-video", "--output", str(path)]) == 0
    text = path.read_text()
    assert [part.partition("<")[0] for part in text.split('<h2 class="chapter">')[1:]] == [
        "On the half\N{NON-BREAKING HYPHEN}cheetah",
        "On the hopper",
        "What they share",
    ]


def make_run(folder):
    """A run of a toy that logged two rows."""
    typed = ["reinfer", "train", "toy", "--name", "line"]
    run = RunDirectory.create(folder, "toy", ToyConfig(), typed, [], "line").path
    (run / "metrics.csv").write_text("iteration,env_steps,target_error\n1,10,0.5\n2,20,0.25\n")
    return run


def test_models_are_told_apart_and_put_together(tmp_path):
    names = ["shipped:toy/seed1", "shipped:half_cheetah/stride/seed0", "shipped:hopper/low"]
    sources = sort(names)
    assert {kind: [named.reference for named in group] for kind, group in sources.models.items()} == {
        "toy_agent": names[:1],
        "stride": names[1:2],
        "low_level": names[2:],
    }
    hopper, cheetah = sorted(teams(sources), key=lambda team: team.body, reverse=True)
    assert hopper == Team("hopper", (names[0],), names[2], (), ())
    assert cheetah == Team("half_cheetah", (names[0],), "shipped:half_cheetah/low", (names[1],), ())
    # A learned stride plays with the toy that it was learned with.
    assert teams(sort(names[1:2]))[0].toys == ("shipped:toy/seed0",)
    assert options_of(cheetah).stride == "learned" and options_of(hopper).stride == "1"
    assert teams(sort(names[:1]))[0].body == "half_cheetah"


def test_models_play_where_there_are_no_records(tmp_path, monkeypatch, capsys):
    played = []

    def play(cast):
        body = cast.contest.body
        played.append((body.name, cast.tasks.describe()))
        record = rollout(steps=12, pairs=(("goal_forward", 5.0),))
        return [record._replace(body=body.name, qpos=record.qpos[..., : body.model().nq])]

    monkeypatch.setattr("reinfer.cli.playing.play", play)
    assert main(["plot", "tracks", "shipped:hopper/low", "--output", str(tmp_path / "a.svg")]) == 0
    assert played == [("hopper", standard_tasks(robot("hopper")).describe())]
    path = tmp_path / "two.gif"
    words = ["--task", "goal_forward:5", "--seconds", "0.5", "--output", str(path)]
    assert main(["video", "shipped:half_cheetah/low", "shipped:walker2d/low", *words]) == 0
    assert played[1:] == [("half_cheetah", ["goal_forward +5.00"]), ("walker2d", ["goal_forward +5.00"])]
    assert path.read_bytes()[:6] == b"GIF89a"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["video", "--simulation", "12"], "simulation: 12 is not in the record; allowed: 0 to 11"),
        (["video", "--task", "jump:2"], "toy/seed0 is an agent of toy1d, which does not know jump; allowed: velocity_"),
        (["video", "shipped:toy3dof/seed0", "--task", "jump:2"], "low-level policy was not trained on stand, jump"),
        (["video", "--output", "file/a.mp4"], "a.mp4 cannot be written: "),
        (["report", "--clip", "1", "12"], "clip: 12 is not in the record; allowed: 0 to 11"),
        (["report", "--output", "file/a.html"], "a.html cannot be written: "),
    ],
)
def test_what_does_not_fit_is_said_before_models_play(arguments, said, capsys, tmp_path, monkeypatch):
    def played(*_):
        pytest.fail("it was played")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file")
    monkeypatch.setattr("reinfer.cli.playing.play", played)
    monkeypatch.setattr(Contest, "play", played)
    monkeypatch.setattr("reinfer.evaluation.low_level.evaluate_low_level", played)
    command, *options = arguments
    assert said in fails(capsys, command, "shipped:half_cheetah/low", *options)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plot", "track"], "unknown figure 'track'"),
        (["plot", "tracks"], "no records are named"),
        (["plot", "compare"], "no contests are named"),
        (["plot", "progress", "shipped:toy/seed0"], "is a model away from its run: its learning curve stayed there"),
        (["plot", "tracks", "missing.safetensors"], "missing.safetensors cannot be read"),
        (["plot", "tracks", "missing", "--output", "a.gif"], "'a.gif' must end in one of png, svg, pdf"),
        (["plot", "tracks", "shipped:scratch/cheetah-vel/rl2-seed0"], "no part of the hierarchy"),
        (["plot", "compare", "shipped:toy/seed0", "shipped:scratch/cheetah-vel/rl2-seed0"], "no part of the hierarchy"),
        (["video", "shipped:half_cheetah/low", "shipped:scratch/cheetah-vel/rl2-seed0"], "no part of the hierarchy"),
        (["plot", "progress"], "no runs are named"),
        (["plot", "progress", "missing"], "no run at missing"),
        (["plot", "latent", "missing"], "no run or model at missing"),
        (["video", "missing"], "no run or model at missing"),
        (["video"], "nothing is named"),
        (["video", "missing", "--output", "a.avi"], "must end in .mp4 or .gif"),
        (["video", "shipped:hopper/low", "--task", "goal_forward"], "'goal_forward' is not FAMILY:TARGET"),
        (["video", "shipped:hopper/low", "--task", "goal_forward:-5"], "does not fit family 'goal_forward'"),
        (["video", "missing", "--task", "jump:2", "--simulation", "1"], "task and simulation: both are given"),
        (["video", "missing", "--seconds", "0"], "seconds"),
        (["report", "missing"], "no run or model at missing"),
        (["report"], "no sources are named"),
        (["report", "missing", "--output", "report.pdf"], "must end in .html"),
    ],
)
def test_mistakes_are_one_line(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in fails(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_damaged_and_foreign_results(transfer_folder, tmp_path, capsys):
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"return_mean": 1}')
    said = fails(capsys, "report", str(transfer_folder), str(wrong), "--no-video")
    assert "wrong.json is not a result of `reinfer eval toy`, `low` or `transfer`" in said
    wrong.write_text("[1")
    assert "is not JSON" in fails(capsys, "report", str(transfer_folder), str(wrong), "--no-video")
    (tmp_path / "transfer.json").write_text((transfer_folder / "transfer.json").read_text())
    assert "seed0.safetensors is missing" in fails(capsys, "report", str(tmp_path))
    said = fails(capsys, "video", str(transfer_folder), "--simulation", "99", "--output", str(tmp_path / "a.mp4"))
    assert "simulation: 99 is not in the record; allowed: 0 to 11" in said
