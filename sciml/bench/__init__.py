"""Benchmarks: our methods beside the best classical and neural competitors, on the same problems.

``sciml bench`` runs them. The frame is the same for all: a benchmark is an object with the shape of
:class:`sciml.bench.benchmark.Benchmark`, listed in :mod:`sciml.bench.registry`; :mod:`sciml.bench.runner` measures its
jobs, each in a process with a fixed number of threads (:mod:`sciml.bench.worker`), and saves every result at once;
:mod:`sciml.bench.results` reads the raw JSON, :mod:`sciml.bench.report` and :mod:`sciml.bench.scoreboard` show it.

A method has one subpackage with the same modules: ``benchmark`` (the object), ``plan`` (sizes, seeds, jobs), what the
jobs measure, ``results`` (queries), ``tables`` (limits and tables), ``headlines`` (rows of the scoreboard) and
``chapter`` (of the demo). A new method adds its subpackage and one row in the registry.
"""
