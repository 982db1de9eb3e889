"""Public data sets: downloaded, verified, unpacked."""
