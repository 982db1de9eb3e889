"""The subcommands of `robustseg`, one a file."""
