"""Reference solutions: exact solutions and classical solvers by equation, for data, for errors and as rivals."""
