"""The subcommands of `robustseg` that take train.py's overrides."""
