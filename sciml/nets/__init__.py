"""Networks. Those of coordinates give derivatives too: ``net(points)`` is a tensor, ``net(points, order=2)`` a jet."""

from sciml.nets.coordinate import CoordinateNetwork, FourierNetwork, Siren, TanhNetwork

__all__ = ["CoordinateNetwork", "FourierNetwork", "Siren", "TanhNetwork"]
