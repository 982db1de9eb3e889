"""The configuration: composed, checked, resolved for this machine; its errors explained."""
