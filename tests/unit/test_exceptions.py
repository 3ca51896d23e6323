"""An exception becomes type, message and stack trace, whatever it does."""

import re
import sys

import pytest

from fapilog.exceptions import describe_exception


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class HostileError(Exception):
    def __getattribute__(self, name: str):
        if name == "__traceback__":
            raise RuntimeError("no traceback")
        return super().__getattribute__(name)


def recurse(depth: int) -> None:
    if depth == 0:
        raise ValueError("deep")
    recurse(depth - 1)


@pytest.mark.parametrize("exc_info", [None, False, (), (None, None, None), 0, "", True])
def test_without_an_exception_there_is_nothing_to_describe(exc_info):
    assert describe_exception(exc_info) is None


def test_an_exception_a_tuple_and_true_say_the_same():
    try:
        raise KeyError("k")
    except KeyError as error:
        described = describe_exception(error)
        assert described is not None
        assert described[:2] == ("KeyError", "'k'")
        assert describe_exception(sys.exc_info()) == describe_exception(True) == described


def test_the_type_is_fully_qualified():
    assert describe_exception(UnprintableError())[:2] == (
        f"{__name__}.UnprintableError",
        "<unprintable UnprintableError>",
    )


def test_the_stack_holds_the_whole_chain_oldest_first():
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError as error:
        _, _, stack = describe_exception(error)
    first, second = stack.index("KeyError: 'first'"), stack.index("ValueError: second")
    between = stack[first:second]
    assert "The above exception was the direct cause of the following exception" in between


def test_groups_show_every_member():
    group = ExceptionGroup("both", [ValueError("a"), ExceptionGroup("inner", [KeyError("b")])])
    kind, message, stack = describe_exception(group)
    assert (kind, message) == ("ExceptionGroup", "both (2 sub-exceptions)")
    assert [text in stack for text in ("ValueError: a", "KeyError: 'b'")] == [True, True]


def test_a_deep_traceback_is_cut_in_the_middle_also_in_a_cause():
    try:
        try:
            recurse(200)
        except ValueError as error:
            raise RuntimeError("outer") from error
    except RuntimeError as error:
        _, _, stack = describe_exception(error)
    frames = [line for line in stack.splitlines() if line.startswith("  File ")]
    assert "<138 frames left out>" in stack
    repeated = sum(int(count) for count in re.findall(r"Previous line repeated (\d+) more times", stack))
    assert len(frames) + repeated == 64 + 1 + 1  # 64 of the cause, the gap between, one of the outer


def test_a_chain_that_refers_to_itself_ends():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert describe_exception(first)[2].count("ValueError: second") == 1


def test_a_chain_longer_than_the_recursion_limit_is_described():
    error: Exception = ValueError("link 0")
    for number in range(1, 3 * sys.getrecursionlimit()):
        error, error.__context__ = ValueError(f"link {number}"), error
    oldest, newest = ValueError("oldest"), error
    last = newest
    while last.__context__ is not None:
        last = last.__context__
    last.__context__ = oldest
    stack = describe_exception(newest)[2]
    assert (stack.startswith("ValueError: oldest\n"), stack.endswith(f"{newest}\n")) == (True, True)


def test_an_exception_without_a_readable_traceback_keeps_type_and_message():
    described = describe_exception(HostileError("message"))
    assert described == (f"{__name__}.HostileError", "message", "<no stack trace: RuntimeError>")
