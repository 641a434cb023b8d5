"""Edges: connected components are those that networkx finds."""

from __future__ import annotations

import networkx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.mesh.edges import components


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_components_are_those_of_networkx(data):
    nodes = data.draw(st.integers(1, 15))
    edges = np.array(data.draw(st.lists(st.tuples(*2 * [st.integers(0, nodes - 1)]), max_size=20)), int).reshape(-1, 2)
    network = networkx.empty_graph(nodes)
    network.add_edges_from(map(tuple, edges.tolist()))
    labels = components(edges, nodes)
    assert set(labels) == set(range(networkx.number_connected_components(network)))
    found = {frozenset(np.flatnonzero(labels == label)) for label in set(labels)}
    assert found == set(map(frozenset, networkx.connected_components(network)))
