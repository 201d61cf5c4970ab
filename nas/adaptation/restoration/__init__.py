"""Restoration: the compressed denoiser learns to turn a poor picture into a good one, at last in one step.

Degradations make pairs, the denoiser is guided by the poor picture's latent, a full run is distilled into one step,
and tiles carry it to pictures of any size. Super-resolution is the first task. Does not search, and
does not choose what is adapted.
"""
