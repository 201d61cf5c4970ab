"""Measurements of speed, memory and quality. Each module is one command and writes JSON and Markdown.

Nothing here is a test: figures move with the machine, so compare ratios taken in one run.
"""
