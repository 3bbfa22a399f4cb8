"""The 3-D scene: the robot as mjviser shows it, with its target, what it believes, and marks along the track."""

import mujoco
import numpy as np
import viser
from matplotlib.colors import to_rgb
from mjviser import ViserMujocoScene

from reinfer.bodies import Body
from reinfer.tasks import CHANNELS, GOAL, VELOCITY
from reinfer.tasks.families import FAMILY_KIND
from reinfer.viewing.live.session import Equipment, Snapshot
from reinfer.viewing.style import INK, SOFT_INK, family_colour

_X = CHANNELS.index("x")

#: Metre marks on either side of the robot.
_MARKS = 7

#: Where along y flags stand, behind the robot as the camera first sees it, and the metre marks, before it.
_BEHIND_M, _BEFORE_M = 0.7, -1.1

#: Length of an arrow per speed, height of the first above the ground, and how far they are apart.
_ARROW_S, _ARROW_M, _ARROW_APART_M = 0.5, 1.45, 0.16


#: What is farther from the robot than this is announced at the rim of the view (m).
_RIM_M = 2.0

#: Trunk, then limbs in turn, of our own robots, which are nearly white by nature. A user's robot keeps its colours.
_PAINT = ("#33475b", "#6f8aa3", "#94aabf", "#5b7590")


class Scenery:
    """What is seen of one robot; the world moves past it, so that it stays in the middle of every tab."""

    def __init__(self, server: viser.ViserServer, equipment: Equipment):
        self.server = server
        self._model = _painted(equipment.body)
        self._data = mujoco.MjData(self._model)
        self._robot = ViserMujocoScene(server, self._model, num_envs=1)
        # Its own way of following would also hide that the robot bounces.
        self._robot.camera_tracking_enabled = False
        self._track = server.scene.add_frame("/track", show_axes=False)
        self._goal = _flag(server, "/track/goal", _BEHIND_M)
        self._goal_words = server.scene.add_label("/track/goal/words", "target", anchor="bottom-center")
        self._believed = server.scene.add_icosphere("/track/believed", 0.07, cast_shadow=False)
        self._believed_words = server.scene.add_label("/track/believed_words", "believed", anchor="top-center")
        self._sub_goal = server.scene.add_icosphere("/track/sub_goal", 0.045, _rgb(INK), cast_shadow=False)
        self._speeds = None
        self._speed_words = [
            server.scene.add_label(f"/words/{row}", "", anchor="center-center", font_screen_scale=0.8)
            for row in range(3)
        ]
        self._marks = [
            server.scene.add_label(f"/track/mark{i}", "", anchor="center-center", font_screen_scale=0.8)
            for i in range(2 * _MARKS + 1)
        ]
        self._marked_around = None

    def remove(self) -> None:
        """Take everything away, for another robot."""
        for name in ("/track", "/fixed_bodies", "/bodies", "/speeds", "/words"):
            self.server.scene.remove_by_name(name)

    def pose(self, qpos, x: float) -> None:
        """Show the robot in the posture ``qpos`` (nq,), at ``x`` in m."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        place = self._data.xpos - (x, 0.0, 0.0)
        with self.server.atomic():
            self._robot.update_from_arrays(place[None], self._data.xmat.reshape(1, -1, 3, 3))
            self._robot.fixed_bodies_frame.position = self._track.position = (-x, 0.0, 0.0)
        if self._marked_around != round(x):
            self._marked_around = round(x)
            for place, mark in enumerate(self._marks, self._marked_around - _MARKS):
                mark.position = (place, _BEFORE_M, 0.0)
                mark.text = "start" if place == 0 else f"{place} m"

    def decorate(self, now: Snapshot) -> None:
        """Show the task, the belief and the sub-goal of ``now``."""
        kinds = FAMILY_KIND[now.family], FAMILY_KIND[now.likely]
        flag, pole = self._goal
        flag.visible = pole.visible = self._goal_words.visible = kinds[0] == GOAL
        if kinds[0] == GOAL:
            flag.position, pole.position = (now.target + 0.19, _BEHIND_M, 1.38), (now.target, _BEHIND_M, 0.75)
            self._say_where(self._goal_words, "target", now.target, now, (_BEHIND_M, 1.58))
            flag.color = pole.color = _rgb(family_colour(now.family))
        self._believed.visible = self._believed_words.visible = kinds[1] == GOAL and not now.told
        if self._believed.visible:
            self._say_where(self._believed_words, "believed", now.likely_target, now, (0.0, -0.1))
            self._believed.position, self._believed.color = (
                (now.likely_target, 0.0, 0.0),
                _rgb(family_colour(now.likely)),
            )
        self._sub_goal.visible = now.command_kind == GOAL
        self._sub_goal.position = (now.command_target, 0.0, 0.0)
        self._arrows(now, kinds)

    @staticmethod
    def _say_where(label, words: str, target: float, now: Snapshot, place: tuple[float, float]) -> None:
        """Put ``label`` at ``target`` in m, (y, z) ``place``; if that is out of view at the rim, with an arrow."""
        away = target - float(now.task_state[_X])
        if abs(away) > _RIM_M:
            distance = f"{abs(away):.1f} m"
            words = f"{words} {distance} →" if away > 0 else f"← {words} {distance}"
        label.text = words
        label.position = (float(now.task_state[_X]) + float(np.clip(away, -_RIM_M, _RIM_M)), *place)

    def _arrows(self, now: Snapshot, kinds) -> None:
        """Speeds as arrows above the robot: the target, below it the one believed in, below that the robot's own."""
        shown = []
        if kinds[0] == VELOCITY:
            shown.append((now.target, family_colour(now.family), "target"))
        if kinds[1] == VELOCITY and not now.told:
            shown.append((now.likely_target, INK, "believed"))
        if VELOCITY in kinds:
            shown.append((now.task_state[CHANNELS.index("vx")], SOFT_INK, "robot"))
        if self._speeds is not None:
            self._speeds.visible = bool(shown)
        for row, words in enumerate(self._speed_words):
            words.visible = row < len(shown)
            if words.visible:
                words.text = shown[row][2]
                words.position = (-0.3 * np.sign(shown[row][0]), 0.0, _ARROW_M - _ARROW_APART_M * row)
        if not shown:
            return
        heights = _ARROW_M - _ARROW_APART_M * np.arange(len(shown))
        speeds = np.array([speed for speed, _, _ in shown])
        points = np.zeros((len(shown), 2, 3))
        points[:, :, 2], points[:, 1, 0] = heights[:, None], _ARROW_S * speeds
        # Arrows take colours for linear ones, everything else for what a screen shows.
        colours = np.array([255 * np.array(to_rgb(colour)) ** 2.2 for _, colour, _ in shown]).astype(np.uint8)
        if self._speeds is None:
            self._speeds = self.server.scene.add_arrows("/speeds", points, colours)
        self._speeds.points, self._speeds.colors = points, colours


def _painted(body: Body) -> mujoco.MjModel:
    """The model of ``body`` in colours that stand out."""
    model = body.model()
    if body.origin is None:
        for geom in np.flatnonzero(model.geom_bodyid > 0):
            limb = int(model.geom_bodyid[geom]) - 1
            model.geom_matid[geom] = -1
            model.geom_rgba[geom] = (*to_rgb(_PAINT[0 if limb == 0 else 1 + (limb - 1) % 3]), 1.0)
    return model


def _flag(server: viser.ViserServer, name: str, y: float) -> tuple:
    """Cloth and pole of a flag."""
    cloth = server.scene.add_box(f"{name}/cloth", dimensions=(0.36, 0.02, 0.22), position=(0.0, y, 1.4))
    pole = server.scene.add_cylinder(f"{name}/pole", radius=0.02, height=1.5, position=(0.0, y, 0.75))
    return cloth, pole


def _rgb(colour: str) -> tuple[int, int, int]:
    return tuple(round(255 * part) for part in to_rgb(colour))
