"""Other people's search methods, each given what its own interface can take."""

from benchmarks.search.peers import additive as additive
from benchmarks.search.peers import ax_default as ax_default
from benchmarks.search.peers import optuna_samplers as optuna_samplers
from benchmarks.search.peers import pymoo_nsga2 as pymoo_nsga2
from benchmarks.search.peers import recipes as recipes
