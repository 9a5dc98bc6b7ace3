"""The command line ``zkwm``: names, options and exit codes. The work is done in ``zkwm``."""
