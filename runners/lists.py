"""Lists of clips in files, or on standard input: text, CSV, TSV, Parquet."""


class InputError(ValueError):
    """An input cannot be used; the message says which, why and what to do, in one line."""
