"""The two ways in which a run ends early on purpose. Anything else that is raised is a defect of ours."""


class InputError(Exception):
    """The input or the arguments cannot be used.

    The message is shown to a radiologist as it stands: one sentence that names the cause and the way out.
    The command line ends with exit code 2.
    """


class Cancelled(BaseException):
    """The user stopped the run. Nothing was written; the command line ends with exit code 3.

    No Exception, as KeyboardInterrupt is none: it passes by whatever catches those.
    """
