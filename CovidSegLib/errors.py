"""Errors that end a run on purpose. Any other exception is a defect of CovidSeg."""


class InputError(Exception):
    """The input or the arguments cannot be used.

    The message is shown to the user as it is. It is written for a radiologist: whole sentences that name the cause and
    what to do. The command line ends with exit code 2.
    """


class NoLungsError(InputError):
    """No lungs were found in a CT."""


class GpuMemoryError(InputError):
    """The GPU has too little free memory. The CPU can do the same work, more slowly."""


class DiskFullError(InputError):
    """The disk is full. Whatever comes next would fail in the same way."""


class InUseError(InputError):
    """Another run of CovidSeg writes to the same folder."""


class Cancelled(BaseException):
    """The user has stopped the run. The command line ends with exit code 3.

    Not an Exception, like KeyboardInterrupt, so that `except Exception` does not catch it.
    """
