"""Networks. Those of coordinates give derivatives too: ``net(points)`` is a tensor, ``net(points, order=2)`` a jet."""
