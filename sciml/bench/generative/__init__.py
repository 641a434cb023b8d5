"""``sciml bench generative``: paths, objectives, samplers and guidance beside classical ensembles, at equal updates."""
