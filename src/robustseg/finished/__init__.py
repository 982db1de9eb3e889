"""What is done with a trained network: load it, predict, evaluate, rank suspects, export."""
