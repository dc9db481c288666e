"""Every error a user can meet: the value, the rule it broke, the next step."""


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
