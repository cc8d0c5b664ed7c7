"""What is finished behind the network: in order, in a thread, one at a time, and after errors."""

import threading

import pytest

from lseg.pipeline.behind import Behind


def test_tasks_are_done_in_order_by_one_thread_that_is_not_the_callers():
    threads, found = [], []

    def task(number):
        threads.append(threading.get_ident())
        return number

    with Behind(found.append) as behind:
        for number in range(5):
            behind.add(lambda number=number: task(number))
    assert found == [0, 1, 2, 3, 4]
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_the_caller_goes_on_while_a_task_is_done_but_no_further_than_the_next():
    first, second = threading.Event(), threading.Event()
    with Behind(lambda _: None) as behind:
        behind.add(lambda: first.wait(60))
        assert not first.is_set()  # and yet it came here
        timer = threading.Timer(0.05, first.set)
        timer.start()
        behind.add(lambda: second.wait(60))
        assert first.is_set()  # adding the second waited for the first
        second.set()


def fail(message):
    raise ValueError(message)


def test_an_error_of_a_task_is_raised_with_the_next_or_at_the_end():
    found = []
    with pytest.raises(ValueError, match="task"), Behind(found.append) as behind:
        behind.add(lambda: 1)
        behind.add(lambda: fail("task"))
        behind.add(lambda: 2)
        raise AssertionError("the next one was to tell")
    assert found == [1, 2]
    with pytest.raises(ValueError, match="last"), Behind(found.append) as behind:
        behind.add(lambda: fail("last"))


def test_what_was_begun_is_finished_where_the_caller_fails():
    found = []
    with pytest.raises(KeyboardInterrupt), Behind(found.append) as behind:
        behind.add(lambda: 1)
        raise KeyboardInterrupt
    assert found == [1]
    with pytest.raises(ValueError, match="caller"), Behind(found.append) as behind:
        behind.add(lambda: fail("task"))
        fail("caller")
