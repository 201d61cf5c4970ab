"""Trainings that survive a kill: one loop, one checkpoint, for whatever can name the loss of a step.

Every step is a function of its number and a seed, so a checkpoint holds weights, their moving average and the
optimiser's moments, and no random state. What is trained, on what, is said elsewhere: nothing here knows
of diffusion, teachers or blocks.
"""
