"""The outline of a body: its MuJoCo geoms, posed by MuJoCo's own kinematics, seen from the side."""

from typing import NamedTuple

import mujoco
import numpy as np

from reinfer.bodies import Body

#: Geoms that are a thick line between two points; others are drawn as the outline of their bounding box.
_CAPSULE, _CYLINDER, _SPHERE = (
    int(kind) for kind in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_SPHERE)
)
_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


class Shape(NamedTuple):
    """One geom in the x-z plane: corner points (P, 2) in m, thickness ``radius`` in m, and its ``limb``.

    Two points and a radius are a thick line with round ends; three or more, a filled polygon. Limb 0 is the
    trunk, limbs 1, 2, ... are what hangs from it.
    """

    points: np.ndarray
    radius: float
    limb: int


class Skeleton:
    """Poses of one body. Holds MuJoCo data, so use one per thread."""

    def __init__(self, body: Body):
        self._model = body.model()
        self._data = mujoco.MjData(self._model)
        limbs = self._limbs()
        belongs = self._model.geom_bodyid
        self._geoms = [(geom, limbs[belongs[geom]]) for geom in range(self._model.ngeom) if belongs[geom] > 0]

    def _limbs(self) -> list[int]:
        """Per MuJoCo body the number of the limb it is part of; body 1 is the trunk."""
        limbs, parents = [0] * self._model.nbody, self._model.body_parentid
        count = 0
        for body in range(2, self._model.nbody):
            if parents[body] == 1:
                count += 1
                limbs[body] = count
            else:
                limbs[body] = limbs[parents[body]]
        return limbs

    def pose(self, qpos) -> list[Shape]:
        """The shapes at joint positions ``qpos`` (nq,), far ones first."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        order = sorted(self._geoms, key=lambda item: -self._data.geom_xpos[item[0]][1])
        return [self._shape(geom, limb) for geom, limb in order]

    def _shape(self, geom: int, limb: int) -> Shape:
        kind, size = int(self._model.geom_type[geom]), self._model.geom_size[geom]
        centre, turn = self._data.geom_xpos[geom], self._data.geom_xmat[geom].reshape(3, 3)
        if kind in (_CAPSULE, _CYLINDER, _SPHERE):
            half = 0.0 if kind == _SPHERE else size[1]
            ends = centre + np.outer((-half, half), turn[:, 2])
            return Shape(ends[:, (0, 2)], float(size[0]), limb)
        middle, extent = self._model.geom_aabb[geom].reshape(2, 3)
        corners = centre + (middle + _SIGNS * extent) @ turn.T
        return Shape(_hull(corners[:, (0, 2)]), 0.0, limb)


def _hull(points) -> np.ndarray:
    """Corners of the convex hull of points (N, 2), counter-clockwise (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, points))
    chains = []
    for sequence in (ordered, ordered[::-1]):
        chain: list[tuple] = []
        for point in sequence:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        chains += chain[:-1]
    return np.array(chains)


def _turn(a, b, c) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
