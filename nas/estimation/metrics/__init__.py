"""How far a candidate's predictions and features are from the teacher's, one metric a file.

Does not count or time anything: costs are in `nas.estimation.cost`, latencies in `nas.estimation.devices`.
"""
