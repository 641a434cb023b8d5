"""Write datasets/surfaces/trefoil.ply: a tube around a trefoil knot, closed and smooth, as a binary PLY file.

    python tools/make_surface.py [PATH]

The axis of the tube is ``c(t) = (sin t + 2 sin 2t, cos t - 2 cos 2t, -sin 3t)``, 0 <= t < 2 pi; its radius is 0.55. The
cross sections are carried along by parallel transport (double reflection: Wang et al., ACM Transactions on Graphics 27,
2008) and turned evenly by the small angle that closes the frame, so the surface has no twist and no seam.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

RADIUS, ALONG, AROUND = 0.55, 192, 20
DEFAULT = Path(__file__).resolve().parent.parent / "datasets" / "surfaces" / "trefoil.ply"


def axis(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points on the knot, evenly spaced by arc length, and the unit tangents there, each (count, 3)."""
    fine = np.arange(64 * count + 1) * 2 * np.pi / (64 * count)
    speed = np.linalg.norm(_velocity(fine), axis=1)
    length = np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1]))])
    t = np.interp(np.arange(count) * length[-1] / count, length, fine)
    points = np.stack([np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -np.sin(3 * t)], axis=1)
    velocity = _velocity(t)
    return points, velocity / np.linalg.norm(velocity, axis=1, keepdims=True)


def _velocity(t: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(t) + 4 * np.cos(2 * t), -np.sin(t) + 4 * np.sin(2 * t), -3 * np.cos(3 * t)], axis=1)


def frames(points: np.ndarray, tangents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two unit normals at each point, (count, 3) each, that turn as little as a closed frame can."""
    count = len(points)
    normal = np.cross(tangents[0], [0.0, 0.0, 1.0])
    normals = [normal / np.linalg.norm(normal)]
    for here in range(count):
        there = (here + 1) % count
        step = points[there] - points[here]
        mirrored = normals[-1] - 2 / (step @ step) * (step @ normals[-1]) * step
        tangent = tangents[here] - 2 / (step @ step) * (step @ tangents[here]) * step
        gap = tangents[there] - tangent
        normals.append(mirrored - 2 / (gap @ gap) * (gap @ mirrored) * gap)
    binormal = np.cross(tangents[0], normals[0])
    missing = np.arctan2(normals[-1] @ binormal, normals[-1] @ normals[0])
    first = np.array(normals[:-1])
    second = np.cross(tangents, first)
    angle = (-missing * np.arange(count) / count)[:, None]
    return np.cos(angle) * first + np.sin(angle) * second, np.cos(angle) * second - np.sin(angle) * first


def tube() -> tuple[np.ndarray, np.ndarray]:
    """Return the points (n, 3) and the triangles (m, 3) of the tube, oriented outwards."""
    centre, tangents = axis(ALONG)
    first, second = frames(centre, tangents)
    angle = (np.arange(AROUND) * 2 * np.pi / AROUND)[None, :, None]
    points = centre[:, None] + RADIUS * (np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None])
    number = np.arange(ALONG * AROUND).reshape(ALONG, AROUND)
    a, b = number, np.roll(number, -1, axis=0)
    c, d = np.roll(b, -1, axis=1), np.roll(a, -1, axis=1)
    triangles = np.concatenate([np.stack([a, c, b], axis=-1), np.stack([a, d, c], axis=-1)], axis=1)
    return points.reshape(-1, 3), triangles.reshape(-1, 3)


def write_ply(path: Path, points: np.ndarray, triangles: np.ndarray) -> None:
    """Write a binary little-endian PLY file with float32 points and int32 triangles."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        "comment tube of radius 0.55 around a trefoil knot, made by tools/make_surface.py, CC0\n"
        f"element vertex {len(points)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(triangles)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    faces = np.empty(len(triangles), dtype=[("count", "u1"), ("vertices", "<i4", 3)])
    faces["count"], faces["vertices"] = 3, triangles
    part = path.with_name(path.name + ".part")
    part.write_bytes(header.encode("ascii") + points.astype("<f4").tobytes() + faces.tobytes())
    os.replace(part, path)


if __name__ == "__main__":
    write_ply(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT, *tube())
