"""Seismic inversion: the wave solver beside others, networks, and networks refined by full-waveform inversion."""
