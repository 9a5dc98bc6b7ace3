"""The command line of zkwm: click commands, one file each, no logic of their own."""
