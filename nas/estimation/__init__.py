"""How good, how much and how fast: features are captured, blocks distilled, networks judged and timed.

Does not decide what is tried, keep a queue, or talk to a database: everything here is a function of a job and a
workspace.
"""
