"""Runs of a sweep side by side: a pool of processes, their places, one display."""
