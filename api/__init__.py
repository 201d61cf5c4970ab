"""The outermost layer: settings, wiring, reading what users write, the command line.

The one place where the core meets its adapters. Holds no science: whatever a notebook could want
lives in `nas`.
"""
