"""The command line `covidseg`: one file for each command."""
