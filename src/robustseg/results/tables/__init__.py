"""Tables of finished runs: cells, statistics, notes, and their forms."""
