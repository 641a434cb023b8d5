"""Numerical tools that methods share: draws that depend on explicit counters, optimisers, least squares."""
