"""One file a command. Each has ``command``; the library is imported when a command runs."""
