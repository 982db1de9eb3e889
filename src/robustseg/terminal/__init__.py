"""Terminal output: durations and progress bars."""
