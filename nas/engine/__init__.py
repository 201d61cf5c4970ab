"""Drives one search from its spec to its front, by ports alone.

Holds the order of events: which jobs are missing, when a trial is proposed, claimed, recorded,
retried or given up, and when a search ends. Everything it knows it can rebuild from rows, so that
killing it at any moment is a normal event. It does not train, measure or suggest anything itself:
no tensors, no optimiser, no input or output of its own.
"""
