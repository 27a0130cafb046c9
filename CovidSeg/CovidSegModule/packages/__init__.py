"""The Python packages of the child process: find out what is missing, install it after asking, and try it out.

Nothing is installed before the user agrees. No package that comes with Slicer is replaced, nothing is compiled, and
torch is never loaded into Slicer's process.
"""
