import threading
import time
from dataclasses import dataclass

import pytest

from lseg.demo.cache import SharedCache


@dataclass(frozen=True)
class Item:
    nbytes: int


def test_an_item_is_made_once_and_the_least_recently_used_goes_first():
    cache, made = SharedCache(budget=10), []

    def item(key):
        return cache.get(key, lambda: made.append(key) or Item(4))

    item("a"), item("b"), item("a"), item("c")
    assert made == ["a", "b", "c"]
    assert (cache.nbytes, len(cache)) == (8, 2)
    item("a")
    assert made == ["a", "b", "c"]
    item("b")
    assert made == ["a", "b", "c", "b"]


def test_what_is_larger_than_the_budget_is_given_but_not_kept():
    cache = SharedCache(budget=10)
    cache.get("small", lambda: Item(3))
    assert cache.get("large", lambda: Item(11)).nbytes == 11
    assert (cache.nbytes, len(cache)) == (3, 1)


def test_threads_wait_for_the_one_that_makes_an_item():
    cache, made, found = SharedCache(budget=10), [], []
    start = threading.Barrier(8)

    def make():
        made.append(1)
        time.sleep(0.1)
        return Item(1)

    def ask():
        start.wait()
        found.append(cache.get("key", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(found) == 8
    assert all(item is found[0] for item in found)


def test_an_error_reaches_every_waiting_thread_and_is_not_remembered():
    cache, errors, inside = SharedCache(budget=10), [], threading.Event()

    def fail():
        inside.set()
        time.sleep(0.1)
        raise ValueError("no")

    def ask():
        try:
            cache.get("key", fail)
        except ValueError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert inside.is_set()
    assert len(errors) == 3
    assert cache.get("key", lambda: Item(2)).nbytes == 2


def test_many_threads_never_exceed_the_budget():
    cache, highest = SharedCache(budget=25), []

    def ask(offset):
        for step in range(200):
            size = 1 + (step * 7 + offset) % 9
            cache.get(f"{(step + offset) % 13}:{size}", lambda size=size: Item(size))
            highest.append(cache.nbytes)

    threads = [threading.Thread(target=ask, args=(offset,)) for offset in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.nbytes == pytest.approx(sum(item.nbytes for item in cache._kept.values()))
    assert max(highest) <= 25 + 9  # between adding an item and dropping others
    assert cache.nbytes <= 25
