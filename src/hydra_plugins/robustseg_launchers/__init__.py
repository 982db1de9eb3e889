"""Launchers that Hydra finds by their place in the namespace package `hydra_plugins`."""
