"""Tables of finished runs: cells, statistics, notes, and output formats."""
