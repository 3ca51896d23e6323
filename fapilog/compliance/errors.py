"""What is wrong with a profile, before it is known which setting named it."""

from __future__ import annotations


class ProfileError(ValueError):
    """A profile cannot be found, read or combined.

    Attributes:
        code: A key of `fapilog.error_codes.CODES`.
        what: One clause that says what is wrong.
        remedy: What to do about it.
    """

    def __init__(self, code: str, what: str, remedy: str) -> None:
        super().__init__(code, what, remedy)
        self.code, self.what, self.remedy = code, what, remedy

    def __str__(self) -> str:
        return f"{self.what} [{self.code}]; {self.remedy}"
