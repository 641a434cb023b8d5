"""One training backbone for every method.

A method is a :class:`~sciml.training.task.Task`: it owns networks and says what its loss on one batch is. How it is
trained is a :class:`~sciml.training.settings.Training`: phases, each with an optimiser and a schedule.
"""
