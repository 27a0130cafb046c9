"""The child process that segments, and one run from the written CT to the loaded result.

torch must not be loaded into Slicer's own process, where it crashes. The work is done by `python -m CovidSegLib`, which
reports its progress as one JSON object per line. Killing the process cancels the run.
"""
