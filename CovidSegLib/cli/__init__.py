"""The command `covidseg`, one file for each of its commands."""
