"""Every error a user can meet: the value, the rule it broke, the next step."""

import errno


class QuantError(Exception):
    """Base of the errors that are the input's fault; main prints one as a single line."""


class ConfigError(QuantError):
    """A setting is unknown, of the wrong unit, or contradicts another."""


class DataError(QuantError):
    """A table has missing columns, duplicate keys, impossible values or the wrong region."""


class ProviderError(QuantError):
    """A data source refused, failed, or returned something malformed."""


class StoreError(QuantError):
    """A stored result is missing, damaged, or could not be written."""


class StageError(QuantError):
    """A stage is unknown, or was asked for what it can not give."""


class ProblemError(QuantError):
    """An optimisation problem is malformed before it is solved."""


class SolveError(QuantError):
    """No solver returned a point that passes the audit."""


class ReportError(QuantError):
    """A report could not be rendered or would overwrite another."""


class GateError(QuantError):
    """What a release or a change asks for does not hold."""


class LookAheadError(QuantError):
    """Something dated t changed with what came after t."""


def refused(error: OSError) -> str:
    """One sentence about what the operating system would not do, and what to do next."""
    path = error.filename or "the run's files"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no space left on the disk for {path}; nothing stored before was touched: free some "
            "space (outputs/store holds results that can be made anew) and run again."
        )
    return (
        f"{path} can not be read or written ({error.strerror or error}); "
        "check the folder and its rights, and run again."
    )
