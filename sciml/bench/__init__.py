"""Side-by-side measurements: ours beside the best classical solvers, on the same systems, in the same process.

``sciml bench`` runs them. A benchmark is a list of jobs (:mod:`sciml.bench.poisson`), each measured in a process with a
fixed number of threads (:mod:`sciml.bench.worker`); its raw JSON becomes a table (:mod:`sciml.bench.table`).
"""
