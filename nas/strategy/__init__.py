"""Search strategies: which architecture to try next.

A strategy sees a space, a problem, exact prices and the history of trials; it answers with
suggestions. It evaluates nothing, stores nothing and starts no process: its state is a function of
the trials. Torch, Ax and BoTorch are imported only when a suggestion needs them.
"""

from nas.strategy import epsilon_constraint as epsilon_constraint
from nas.strategy import pareto as pareto
from nas.strategy import random as random
from nas.strategy import sobol as sobol
