"""Videos: frames of the right number and size, in a form that browsers play; bodies where they are."""

import re
import subprocess

import imageio_ffmpeg
import mujoco
import numpy as np
import pytest
from PIL import Image
from synthetic_rollouts import STANDARD_TASKS, holding, rollout

from reinfer.bodies import robot
from reinfer.runs.errors import ConfigError, RunError
from reinfer.viewing.canvas import Canvas
from reinfer.viewing.encoding import video_writer
from reinfer.viewing.scene import Scene
from reinfer.viewing.skeleton import Skeleton, _hull
from reinfer.viewing.together import WIDTH as PANEL
from reinfer.viewing.together import Panel, frames_together, same_task, write_together
from reinfer.viewing.video import HEIGHT, WIDTH, frames, write_video


def probe(path):
    said = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)], capture_output=True, text=True)
    return said.stderr


def test_video_has_a_frame_per_control_step_and_plays_in_browsers(tmp_path):
    path, seen = tmp_path / "clip.mp4", []
    record = rollout(steps=12)
    assert write_video(path, record, [1, 10], 0.4, on_frame=lambda: seen.append(1)) == 16
    assert len(seen) == 16
    assert imageio_ffmpeg.count_frames_and_secs(path) == (16, pytest.approx(0.8, abs=0.06))
    said = probe(path)
    assert re.search(rf"Video: h264 .*yuv420p.* {WIDTH}x{HEIGHT}.* 20 fps", said)
    # The index must come before the pictures for playing to start at once.
    contents = path.read_bytes()
    assert contents.index(b"moov") < contents.index(b"mdat")
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_video_shorter_than_asked_and_wrong_simulation(tmp_path):
    record = rollout(steps=5)
    assert len(list(frames(record, 0, 12.0))) == 5
    with pytest.raises(ConfigError, match="simulation: 12 is not in the record; allowed: 0 to 11"):
        write_video(tmp_path / "clip.mp4", record, [12])
    assert not list(tmp_path.iterdir())


def test_stands_and_jumps_are_shown_with_the_probabilities_of_all_families():
    record = holding(steps=3)
    for simulation in (0, 1):
        first, *_, last = frames(record, simulation)
        assert first.size == last.size == (WIDTH, HEIGHT)
    assert Panel("half cheetah", record, 0, 0.1).at(0.1).size == (PANEL, HEIGHT)


def test_labels_of_arrows_stay_in_the_picture():
    canvas = Canvas(480, 540)
    Scene(canvas, 78, 436, 3.2).speeds(
        0.0, [(0.5, "#000000", "short", True), (-2.0, "#000000", "speed -2.00 m/s", True)]
    )
    assert [anchor for *_, anchor in canvas._texts] == ["lm", "lm"]
    assert all(0 < at[0] < 480 for at, *_ in canvas._texts)


def test_gif_is_smaller_and_slower_and_loops_and_begins_with_a_pause(tmp_path):
    path, record = tmp_path / "clip.gif", rollout(steps=12)
    for write, given in ((write_video, record), (write_together, {"one": record, "other": record})):
        assert write(path, given, [1, 7], 0.6) == 24
        with Image.open(path) as picture:
            pictures, stands = [], []
            for number in range(picture.n_frames):
                picture.seek(number)
                shown = picture.convert("RGB").tobytes()
                stands = [*stands, 0] if not pictures or shown != pictures[-1] else stands
                pictures.append(shown)
                stands[-1] += picture.info["duration"]
            assert picture.info["loop"] == 0 and picture.size == (640, 360)
        assert [time_ms for time_ms in stands if time_ms != 100] == pytest.approx([1500, 1500], abs=100)
        assert stands[0] != 100 and len(stands) == pytest.approx(12, abs=1), "two rollouts of 0.6 s"


def test_the_task_is_labelled_as_hidden_side_by_side():
    panel = Panel("half cheetah", rollout(steps=3), 0, 0.1)
    said = [(text, at) for at, text, *_ in panel._canvas._texts]
    assert "task (hidden from the agent)" in [text for text, _ in said]


def test_bodies_side_by_side_are_on_the_same_task_at_the_same_moment(tmp_path):
    slow, fast = rollout(steps=20), rollout(seed=1, steps=40)._replace(control_dt_s=0.025)
    pictures = list(frames_together({"slow": slow, "fast": fast}, 1, 0.5))
    assert len(pictures) == 10 and {picture.size for picture in pictures} == {(2 * PANEL, HEIGHT)}
    right = pictures[6].crop((PANEL + 1, 0, 2 * PANEL, HEIGHT))
    assert right.tobytes() == Panel("fast", fast, 1, 0.5).at(0.3).crop((0, 0, PANEL - 1, HEIGHT)).tobytes()
    path = tmp_path / "clip.mp4"
    assert write_together(path, {"slow": slow, "fast": fast}, [1, 7], 0.5) == 20
    assert imageio_ffmpeg.count_frames_and_secs(path)[0] == 20


def test_side_by_side_finds_the_task_or_says_what_there_is():
    first, second = rollout(steps=5), rollout(pairs=STANDARD_TASKS[::-1], steps=5)
    assert same_task({"first": first, "second": second}, 2) == [2, 9]
    with pytest.raises(ConfigError, match="second has no task goal_forward [+]3.14; it has goal_forward [+]9.02"):
        same_task({"first": first, "second": rollout(pairs=STANDARD_TASKS[:1], steps=5)}, 2)
    with pytest.raises(ConfigError, match="5 records are more than the 4"):
        next(frames_together({str(n): first for n in range(5)}, 0))


def test_encoder_says_why_it_cannot_write(tmp_path):
    with (
        pytest.raises(RunError, match="cannot be written"),
        video_writer(tmp_path / "no" / "a.mp4", 20, (16, 16)) as add,
    ):
        add(Canvas(16, 16).image())


def test_frames_move_with_the_body_and_show_the_target():
    record = rollout(steps=60)
    goal = [np.asarray(frame) for frame in frames(record, 1)]
    assert goal[0].shape == (HEIGHT, WIDTH, 3)
    assert (goal[0] != goal[40]).mean() > 0.02
    orange = np.array([0xD5, 0x5E, 0x00])
    flag = (np.abs(goal[50][100:420].astype(int) - orange).max(axis=-1) < 12).sum()
    assert flag > 100


def test_skeleton_agrees_with_mujoco():
    body = robot("half_cheetah")
    rng = np.random.default_rng(0)
    qpos = rng.uniform(-0.4, 0.4, 9)
    shapes = Skeleton(body).pose(qpos)
    model = body.model()
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    # All geoms but the floor, each a capsule: a thick line around the geom's own centre.
    assert len(shapes) == model.ngeom - 1
    centres = sorted(tuple(shape.points.mean(axis=0).round(9)) for shape in shapes)
    assert centres == sorted(tuple(x[[0, 2]].round(9)) for x in data.geom_xpos[1:])
    assert {shape.radius for shape in shapes} == {0.046}
    torso = next(shape for shape in shapes if shape.limb == 0 and np.ptp(shape.points[:, 0]) > 0.9)
    assert np.hypot(*np.diff(torso.points, axis=0)[0]) == pytest.approx(1.0)
    assert sorted(shape.limb for shape in shapes) == [0, 0, 1, 1, 1, 2, 2, 2]


def test_other_geoms_are_drawn_as_outlines():
    square = [(0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0.5), (0.5, 0.0)]
    assert sorted(map(tuple, _hull(square))) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_scene_puts_metres_where_they_belong():
    canvas = Canvas(480, 300)
    scene = Scene(canvas, 0, 300, view_m=4.8).onto(canvas, centre_m=2.0)
    assert scene.at(2.0, 0.0) == (240.0, scene.ground)
    assert scene.at(3.0, 1.0) == (340.0, scene.ground - 100.0)
    scene.goal(9.0, "#ff0000", "far")
    picture = np.asarray(canvas.image())
    red = (picture == (255, 0, 0)).all(axis=-1)
    assert red[:, 440:].any() and not red[:, :240].any()
