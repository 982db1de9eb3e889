"""What is printed: durations and progress."""
