"""Which node gets a request."""

from fapilog_exporter_elasticsearch.nodes import Nodes


def nodes(*urls: str) -> tuple[Nodes, list[float]]:
    now = [0.0]
    return Nodes(urls, 1.0, 60.0, lambda: now[0]), now


def test_nodes_take_turns():
    found, _ = nodes("a", "b", "c")
    assert [found.next() for _ in range(4)] == ["a", "b", "c", "a"]


def test_a_node_that_failed_is_left_out_and_comes_back():
    found, now = nodes("a", "b")
    found.failed("a")
    assert [found.next() for _ in range(2)] == ["b", "b"]
    now[0] = 1.0
    assert sorted(str(found.next()) for _ in range(2)) == ["a", "b"]


def test_the_time_that_a_node_is_left_out_doubles_up_to_its_limit_and_begins_anew():
    found, now = nodes("a", "b")
    pauses = []
    for _ in range(8):
        found.failed("a")
        begun = now[0]
        while "a" in found.dead():
            now[0] += 0.5
        pauses.append(now[0] - begun)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    found.answered("a")
    found.failed("a")
    now[0] += 1.0
    assert found.dead() == ()


def test_where_all_are_dead_the_one_that_comes_back_first_is_asked():
    found, now = nodes("a", "b")
    found.failed("a")
    now[0] = 0.5
    found.failed("b")
    assert found.next() == "a"
    assert found.next(["a"]) is None
    assert not found.has_other(["a"])
