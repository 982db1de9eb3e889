"""The composed configuration: found, checked, resolved for this machine, explained."""
