"""Implicit neural spatial representations beside classical methods and other networks."""
