"""``sciml bench text2pde``: simulations from their first frames beside classical ensembles, networks, the solver."""
