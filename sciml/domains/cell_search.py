"""A test of which points lie in the cells of a mesh, by a search among the cells nearby."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

PAIRS = 1 << 18  # of a point and a cell that are looked at together


class CellSearch:
    """Search for points in simplices; what depends on the simplices alone is computed once.

    A point of a simplex is no farther from its centre than the farthest corner. A k-d tree of the centres gives the
    simplices for which this may hold: one tree for all of about the same size, so that a few large ones among many
    small ones do not make the search slow.

    Parameters
    ----------
    corners : (simplices, d + 1, dim)

    References
    ----------
    J. L. Bentley, Multidimensional binary search trees used for associative searching, Communications of the ACM 18
    (1975).
    """

    def __init__(self, corners: np.ndarray) -> None:
        from scipy.spatial import KDTree

        self._origin, self._edges = corners[:, 0], (corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1)
        self._inverse = np.linalg.pinv(self._edges)  # of a surface in space: the nearest point of its plane
        self._size = np.abs(self._edges).max(axis=(1, 2))
        centre = corners.mean(axis=1)
        radius = np.linalg.norm(corners - centre[:, None], axis=2).max(axis=1)
        self._rounding = 16 * np.finfo(float).eps * float(np.abs(corners).max())
        octave = np.frexp(radius)[1]
        self._trees = []
        for each in np.unique(octave)[::-1]:  # the largest ones first, which hold most points
            number = np.flatnonzero(octave == each)
            self._trees.append((KDTree(centre[number]), float(radius[number].max()), number))

    def contains(self, points: np.ndarray, slack: float) -> np.ndarray:
        """Return whether points lie in a simplex, (n,) bool; those that are not finite lie in none.

        Parameters
        ----------
        points : (n, dim)
        slack : by which barycentric coordinates may be negative, and points beside a surface relative to a simplex
        """
        found = np.zeros(len(points), bool)
        for tree, radius, number in self._trees:
            # |sum_i b_i (v_i - c)| <= radius sum_i |b_i|, and an edge has at most two radii
            reach = radius * (1 + 2 * slack * (self._edges.shape[2] + 2)) + self._rounding
            around = ((points >= tree.mins - reach) & (points <= tree.maxes + reach)).all(axis=1)
            left = np.flatnonzero(around & ~found)
            for some, counts in _chunks(left, tree.query_ball_point(points[left], reach, return_length=True)):
                near = np.concatenate([*tree.query_ball_point(points[some], reach), []]).astype(np.int64)
                at = np.repeat(some, counts)
                found[at[self._inside(points[at], number[near], slack)]] = True
        return found

    def _inside(self, points: np.ndarray, number: np.ndarray, slack: float) -> np.ndarray:
        """Return whether each point lies in the simplex of the number beside it, (pairs,) bool."""
        away = points - self._origin[number]
        shares = np.einsum("kji,ki->kj", self._inverse[number], away)
        beside = np.linalg.norm(away - np.einsum("kij,kj->ki", self._edges[number], shares), axis=1)
        return (shares >= -slack).all(1) & (shares.sum(1) <= 1 + slack) & (beside <= slack * self._size[number])


def _chunks(points: np.ndarray, counts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return the points that have candidates and how many, in parts of about ``PAIRS`` candidates."""
    points, counts = points[counts > 0], counts[counts > 0]
    part = np.cumsum(counts) // PAIRS
    cuts = np.flatnonzero(np.diff(part)) + 1
    return zip(np.split(points, cuts), np.split(counts, cuts), strict=True)
