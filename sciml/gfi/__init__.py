"""Generalised forward and inverse modelling of seismic waves: velocity maps from records, and records from maps.

Networks of Gupta et al., *A unified framework for forward and inverse problems in subsurface imaging using latent space
translations* (GFI), ICLR 2025: autoencoders of records and of maps, and a translation between their latent images.
"""
