"""The guard: a small process of its own that owns the actuator's driver and goes safe when all else dies.

Everything in here gets by with the standard library, plus what a driver needs.
"""
