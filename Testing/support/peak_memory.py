"""The most memory that a child process used."""

#: Source of a function for scripts that run in a child process: `peak_kilobytes()`.
#: Linux keeps ru_maxrss when a process starts another program and would count the memory of the tests; VmHWM does not.
PEAK_KILOBYTES = r"""
def peak_kilobytes():
    import pathlib, re, resource, sys
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
"""
