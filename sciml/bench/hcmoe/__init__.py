"""Hard constraints by experts beside classical solvers, single domains, and unrolled iterations."""
