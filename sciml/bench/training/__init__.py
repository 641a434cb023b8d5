"""The training backbone beside a bare PyTorch loop."""
