"""Uses of a trained network: load it, predict, evaluate, rank suspects, export."""
