"""Side-by-side measurements: ours beside the best classical solvers, on the same systems, in the same process.

``sciml bench`` runs them. A benchmark is a list of jobs (the ``plan`` of each subpackage), each measured in a process
with a fixed number of threads and saved at once (:mod:`sciml.bench.runner`, :mod:`sciml.bench.worker`); its raw JSON
becomes tables (the ``table`` of each subpackage).

"""
