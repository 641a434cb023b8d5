"""Families of instances of a problem, on which operators are trained and measured."""
