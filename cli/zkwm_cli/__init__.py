"""The command line ``zkwm``: commands, options and exit codes. ``zkwm`` does the work."""
