"""The subcommands of `robustseg`, one per file."""
