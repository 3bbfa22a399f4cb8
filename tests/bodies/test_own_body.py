"""Robots of a user's own: how a file becomes a body, what is refused and in which words, and how it is known again."""

import json
from pathlib import Path

import numpy as np
import pytest
from bodies_of_ones_own import copy_example, replace_text

from reinfer.bodies import ANT, HALF_CHEETAH, BodyError, BodyId, PlanarBody, robot
from reinfer.bodies.own import model_files
from reinfer.cli.main import main
from reinfer.runs.errors import ArtifactError
from reinfer.runs.files import file_sha256
from reinfer.simulation import BatchSimulation
from reinfer.simulation.gymnasium_views import RobotTasks


def test_a_file_is_a_robot(tmp_path):
    body = robot(copy_example(tmp_path))
    assert isinstance(body, PlanarBody) and body.name == "beetle" and body.reference == str(tmp_path / "beetle.py")
    assert body.path() == tmp_path / "beetle.xml"
    expected = {name: file_sha256(tmp_path / name) for name in ("beetle.py", "beetle.xml")}
    assert dict(body.id.files) == expected
    assert {parent["role"]: parent["sha256"] for parent in body.parents()} == {
        f"body: {name}": digest for name, digest in expected.items()
    }
    assert HALF_CHEETAH.id == BodyId("half_cheetah") and HALF_CHEETAH.parents() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beetle.py", "beetle.xml"], "no cache is left behind"


def test_the_file_is_read_anew_and_ours_do_not_count(tmp_path):
    path = copy_example(tmp_path)
    robot(path)
    replace_text(Path(path), '"beetle"', '"bug"')
    replace_text(Path(path), "import CommandRange", "import HALF_CHEETAH, CommandRange")
    assert robot(path).name == "bug"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('name="beetle"', 'name="half_cheetah"'), "name: 'half_cheetah' is not allowed; it is one of reinfer's own"),
        (('name="beetle"', 'name="toy1d"'), "name: 'toy1d' is not allowed"),
        (('name="beetle"', 'name="My robot"'), "name: 'My robot' is not allowed; it must be small letters"),
        (("BEETLE = PlanarBody(", "BEETLE = dict("), "beetle.py defines 0 robots; it must define exactly one Body"),
        (("BEETLE =", "from dataclasses import replace\nBEETLE ="), None),
        (('xml="beetle.xml"', 'xml="bug.xml"'), "xml: 'bug.xml' is not allowed; there is no file"),
        (('"slide_z"', '"slide_y"'), "joints: 'slide_y' is not a joint of .*; allowed: slide_x, slide_z, tilt, back"),
        (
            ('("slide_x", "slide_z", "tilt")', '("slide_x", "tilt", "slide_z")'),
            "task_state: z is that of joint 'tilt'",
        ),
        (('("slide_x", "slide_z"', '("slide_z", "slide_x"'), r"x is that of joint 'slide_z', .*\[0. 0. 1.\], not \[1"),
        (("implicitfast", "leapfrog"), "line 10: ValueError: integrator: 'leapfrog' is not known; allowed: Euler"),
        (('timing="own"', 'timing="fast"'), "timing: 'fast' is not allowed; it must be one of timings: own"),
        (
            ("frame_skip=5", "frame_skip=50"),
            "timings: a control step of 0.5 s is not allowed; it must last 0.01 to",
        ),
        (("fall_pitch_rad=1.0,", ""), "line 6: TypeError: .*fall_pitch_rad"),
        (("fall_pitch_rad=1.0", "fall_pitch_rad=-1.0"), "fallen: the body at rest has fallen"),
        (("fall_pitch_rad=1.0", "fall_pitch_rad=1.0, standing_z_m=(0.3, 1.0)"), "fallen: the body at rest has fallen"),
        (
            ("speed_mps=(0.5, 1.5)", "speed_mps=(0.5, 1.0)"),
            "velocity_forward 0.5 to 1.5 is not allowed; .* 0.5 to 1.0",
        ),
        (('("goal_backward", 1.0, 10.0),', ""), "tasks: goal_backward is missing; the families velocity_forward, "),
        (
            ('("goal_backward"', '("goal_sideways"'),
            "ValueError: family: 'goal_sideways' is not known; allowed",
        ),
        (("reset_velocity_noise=0.05", "reset_velocity_noise=-1"), "reset_velocity_noise: -1 is not allowed"),
        (('"""The', 'import no_such_module\n"""The'), "line 1: ModuleNotFoundError: No module named 'no_such"),
        (('"""The', 'import sys; sys.exit("no licence")\n"""The'), "line 1: SystemExit: no licence"),
        (("BEETLE = ", "BEETLE = = "), "line 6: invalid syntax"),
    ],
)
def test_what_is_wrong_with_a_body_file_is_one_error(tmp_path, change, words):
    path = copy_example(tmp_path, body=change)
    if words is None:
        Path(path).write_text(Path(path).read_text() + '\nOTHER = replace(BEETLE, name="other")\n')
        words = r"beetle.py defines 2 robots \(beetle, other\); it must define exactly one"
    with pytest.raises(BodyError, match=words) as caught:
        robot(path)
    assert path in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("<worldbody>", "<worldbody"), "xml: MuJoCo does not take .*beetle.xml: XML"),
        (('ctrlrange="-1 1"', 'ctrlrange="-2 2"'), r"ctrlrange of actuator .* is \(-2, 2\); it must be \(-1, 1\)"),
        (('name="slide_x" type="slide" axis="1 0 0"', 'name="slide_x" type="slide" axis="-1 0 0"'), r"not \[1 0 0\]"),
        (('name="tilt" type="hinge" axis="0 1 0"', 'name="tilt" type="hinge" axis="0 -1 0"'), r"turns the trunk about"),
        (('stiffness="600"', 'stiffness="6e7"'), "timings: physics diverges after .*'own' needs a smaller time step"),
    ],
)
def test_what_is_wrong_with_its_model_is_one_error(tmp_path, change, words):
    with pytest.raises(BodyError, match=words):
        robot(copy_example(tmp_path, xml=change))


def test_hinges_without_end_must_not_be_observed_as_angles(tmp_path):
    path = copy_example(tmp_path, xml=('range="-45 45" damping', "damping"))
    with pytest.raises(BodyError, match="observation: it holds the angle of joint 'back_hip', which has no range"):
        robot(path)


OBSERVES = """
class Looking(PlanarBody):
    __slots__ = ()
    def observation(self, qpos, qvel):
        own = super(Looking, self).observation(qpos, qvel)
        {}
BEETLE = Looking("""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("own[..., 3] += 1e-3 * qpos[..., 0]; return own", "observation: entry 3 changes with absolute x; it must be"),
        (
            "own[..., -1] = qvel[..., -1]; return own",
            "observation: entry 16 is .* where velocities are huge",
        ),
        ("return own[..., :-1]", r"observation: its shape is \(5, 16\); by observation_size it must be \(5, 17\)"),
        ("return own.no_such", "observations: AttributeError: .*no_such"),
        ("raise SystemExit(0)", "observations: SystemExit: 0"),
    ],
)
def test_observations_are_checked_whoever_writes_them(tmp_path, code, words):
    with pytest.raises(BodyError, match=words):
        robot(copy_example(tmp_path, body=("BEETLE = PlanarBody(", OBSERVES.format(code))))


def test_files_that_are_no_robots(tmp_path):
    with pytest.raises(BodyError, match="body: 'nowhere.py' cannot be read: No such file"):
        robot("nowhere.py")
    with pytest.raises(BodyError, match="body: 'beetle' is not allowed; it must be one of half_cheetah.* ends in .py"):
        robot("beetle")
    with pytest.raises(BodyError, match="timing: 'slow' is not one of beetle; allowed: own"):
        robot(copy_example(tmp_path), "slow")


def test_root_joints_may_lie_anywhere(tmp_path):
    """Another thing with joints comes first in the model: x is no longer the first entry of anything."""
    ball = '<worldbody><body pos="9 3 1"><joint type="slide" axis="0 1 0" name="ball" range="-1 1"/>'
    path = copy_example(tmp_path, xml=("<worldbody>", ball + '<geom size="0.1"/></body>'))
    body = robot(path)
    plain = robot(copy_example(tmp_path / ".."))
    simulation, rng = BatchSimulation(body, 3, 1), np.random.default_rng(0)
    simulation.reset(rng)
    before = simulation.task_state()
    simulation.push([1], np.array([0.7]))
    np.testing.assert_allclose(simulation.task_state()[:, 3] - before[:, 3], [0.0, 0.7, 0.0])
    assert body.observation_size(simulation.model) == plain.observation_size(plain.model()) + 2
    np.testing.assert_array_equal(before[:, :3], simulation.qpos[:, 1:4])


FREE = """
from reinfer.bodies import ANT
from dataclasses import replace
MINE = replace(ANT, name="my_ant", xml={!r})
"""


def test_a_body_on_a_free_joint_whose_model_lies_elsewhere(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FREE.format(str(ANT.path())))
    body = robot(str(path), "stock")
    assert body.name == "my_ant" and body.timing == "stock" and body.path() == ANT.path()
    for parent in body.parents():
        assert file_sha256(Path(parent["path"])) == parent["sha256"]
    assert {Path(parent["path"]).name for parent in body.parents()} == {"mine.py", "ant.xml"}


def test_gymnasium_views_take_body_files(tmp_path):
    environment = RobotTasks(copy_example(tmp_path), kinds=("goal",))
    observation, info = environment.reset(seed=0)
    assert observation.shape == (17,) and info["task"]["family"].startswith("goal")
    assert environment.step(environment.action_space.sample())[1] < 0.0


def test_all_files_that_the_model_names_count(tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "shell.obj").write_text("v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nv 0 0 0.1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    (tmp_path / "meshes.xml").write_text('<mujoco><asset><mesh name="shell" file="shell.obj"/></asset></mujoco>')
    named = ('<compiler angle="degree"', '<include file="meshes.xml"/><compiler meshdir="parts" angle="degree"')
    path = copy_example(tmp_path, xml=named)
    found = {file.name for file in model_files(tmp_path / "beetle.xml")}
    assert found == {"beetle.xml", "meshes.xml", "shell.obj"}
    before = robot(path).id
    assert [name for name, _ in before.files] == ["beetle.py", "beetle.xml", "meshes.xml", "parts/shell.obj"]
    replace_text(parts / "shell.obj", "v 0 0 0.1", "v 0 0 0.2")
    with pytest.raises(ArtifactError, match="the model was made for another version .*parts/shell.obj"):
        before.require(robot(path).id, "the model")


def test_identities():
    ours, theirs = BodyId("half_cheetah"), BodyId("beetle", (("beetle.py", "a" * 64),))
    for identity in (ours, theirs):
        assert BodyId.from_dict(json.loads(json.dumps(identity.to_dict()))) == identity
        identity.require(identity, "it")
    assert ours.to_dict() == {"body": "half_cheetah"}, "models of ours stay the bytes they were"
    with pytest.raises(ArtifactError, match="low: x was made for body 'beetle', not for 'half_cheetah'"):
        theirs.require(ours, "low: x")
    other = BodyId("beetle", (("beetle.py", "b" * 64), ("beetle.xml", "c" * 64)))
    with pytest.raises(ArtifactError, match="beetle.py: a{12} -> b{12}; beetle.xml: none -> c{12}"):
        theirs.require(other, "it")


def test_doctor_examines_a_robot(tmp_path, capsys):
    path = copy_example(tmp_path)
    assert main(["doctor", "--body", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["body"] == "beetle" and found["problems"] == [] and found["notes"] == []
    assert (found["actions"], found["observation"], found["mass_kg"]) == (6, 17, 8.0)
    assert main(["doctor", "--body", path]) == 0
    assert "velocity_forward 0.5 to 1.5" in capsys.readouterr().out
    replace_text(tmp_path / "beetle.py", "fall_pitch_rad=1.0", "fall_pitch_rad=-1.0")
    assert main(["doctor", "--body", path]) == 1
    assert "PROBLEM" in capsys.readouterr().out
    replace_text(tmp_path / "beetle.py", "BEETLE", "BEE TLE")
    assert main(["doctor", "--body", path]) == 2
    assert "line 6: invalid syntax" in capsys.readouterr().err


def test_doctor_tells_what_the_toy_never_practised(tmp_path, capsys):
    path = copy_example(tmp_path, body=('("goal_forward", 1.0, 10.0)', '("goal_forward", 0.1, 30.0)'))
    assert main(["doctor", "--body", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [
        "tasks: goal_forward 0.1 to 30: the toy practised 0.2 to 25 only"
    ]
    assert main(["doctor", "--body", "half_cheetah", "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert len(notes) == 3 and all(
        note.endswith("is none of the toy's families; transfer leaves it out") for note in notes
    )
