"""Images of many threads in common batches, and everyone gets his own answer."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from karyo.inference.prediction import Prediction
from karyo.inference.predictor import PreparedImage
from karyo.web.batching import Batcher, QueueFullError, StoppedError


def _images(*names: str) -> list[PreparedImage]:
    return [PreparedImage(name, np.zeros((8, 8), np.uint8), ()) for name in names]


class _Network:
    """Answers each image with its name, when it is let; notes the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, images: Sequence[PreparedImage]) -> list[Prediction]:
        self.batches.append([image.name for image in images])
        self.entered.set()
        assert self.open.wait(10)
        if any(image.name == "bad" for image in images):
            raise ValueError("bad")
        return [Prediction(image.name, np.full(24, 1 / 24)) for image in images]


def _names(predictions: list[Prediction]) -> list[str]:
    return [prediction.name for prediction in predictions]


def _wait_until_waiting(batcher: Batcher, count: int) -> None:
    end = time.monotonic() + 10
    while batcher.waiting != count:
        assert time.monotonic() < end, batcher.waiting
        time.sleep(0.002)


def test_what_arrives_while_a_batch_runs_makes_the_next_one():
    network = _Network()
    sizes: list[int] = []
    batcher = Batcher(network, largest=4, queue=100, observe=sizes.append)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, _images("first"))
        assert network.entered.wait(10)
        others = []
        for number in range(6):
            others.append(pool.submit(batcher, _images(f"{number}")))
            _wait_until_waiting(batcher, number + 1)
        network.open.set()
        assert _names(first.result(10)) == ["first"]
        assert [_names(each.result(10)) for each in others] == [[f"{number}"] for number in range(6)]
    assert sizes == [1, 4, 2]
    batcher.stop()


def test_a_long_request_is_cut_and_stays_in_order():
    network = _Network()
    network.open.set()
    batcher = Batcher(network, largest=4, queue=5)
    names = [str(number) for number in range(11)]
    assert _names(batcher(_images(*names))) == names
    assert [len(batch) for batch in network.batches] == [4, 4, 3]
    assert batcher([]) == []
    batcher.stop()


def test_a_request_that_fails_does_not_fail_its_neighbours():
    network = _Network()
    batcher = Batcher(network, largest=8, queue=100)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batcher, _images("first"))
        assert network.entered.wait(10)
        asked = []
        for position, names in enumerate((["a"], ["b", "bad"], ["c"])):
            asked.append(pool.submit(batcher, _images(*names)))
            _wait_until_waiting(batcher, (1, 3, 4)[position])
        network.open.set()
        assert _names(first.result(10)) == ["first"]
        assert _names(asked[0].result(10)) == ["a"]
        with pytest.raises(ValueError, match="bad"):
            asked[1].result(10)
        assert _names(asked[2].result(10)) == ["c"]
    assert _names(batcher(_images("after"))) == ["after"]
    batcher.stop()


def test_a_network_that_loses_answers_is_found_out():
    batcher = Batcher(lambda images: [], largest=8, queue=100)
    with pytest.raises(RuntimeError, match="0 answers for 2 images"):
        batcher(_images("a", "b"))
    batcher.stop()


def test_a_full_queue_refuses_and_recovers():
    network = _Network()
    batcher = Batcher(network, largest=1, queue=2)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batcher, _images("first"))
        assert network.entered.wait(10)
        waiting = pool.submit(batcher, _images("a", "b"))
        _wait_until_waiting(batcher, 2)
        with pytest.raises(QueueFullError):
            batcher(_images("c"))
        network.open.set()
        assert _names(first.result(10)) == ["first"]
        assert _names(waiting.result(10)) == ["a", "b"]
    assert _names(batcher(_images("d"))) == ["d"]
    batcher.stop()


def test_stopping_finishes_what_waits_and_takes_nothing_more():
    network = _Network()
    batcher = Batcher(network, largest=1, queue=9)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(batcher, _images("first"))]
        assert network.entered.wait(10)
        asked.append(pool.submit(batcher, _images("a", "b", "c")))
        _wait_until_waiting(batcher, 3)
        ending = pool.submit(batcher.stop)
        time.sleep(0.05)
        with pytest.raises(StoppedError):
            batcher(_images("late"))
        network.open.set()
        ending.result(10)
        assert [_names(each.result(1)) for each in asked] == [["first"], ["a", "b", "c"]]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("karyo-batching")]


def test_a_batch_that_is_alone_gets_all_cores_and_several_run_side_by_side():
    alone, crowded = _Network(), _Network()
    batcher = Batcher(alone, largest=4, queue=100, crowded=crowded, lanes=2)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, _images("first"))
        assert alone.entered.wait(10)
        # The first lane is still busy: the second one takes what comes, and the next has to wait.
        second = pool.submit(batcher, _images("second"))
        assert crowded.entered.wait(10)
        third = pool.submit(batcher, _images("third"))
        _wait_until_waiting(batcher, 1)
        crowded.open.set()
        assert _names(second.result(10)) == ["second"]
        assert _names(third.result(10)) == ["third"]
        assert not first.done()
        alone.open.set()
        assert _names(first.result(10)) == ["first"]
    assert _names(batcher(_images("last"))) == ["last"]
    assert alone.batches == [["first"], ["last"]]
    assert crowded.batches == [["second"], ["third"]]
    batcher.stop()


def test_idle_lanes_share_what_waits():
    crowded = _Network()
    batcher = Batcher(crowded, largest=8, queue=100, crowded=crowded, lanes=2)
    with ThreadPoolExecutor(8) as pool:
        held = [pool.submit(batcher, _images("a"))]
        assert crowded.entered.wait(10)
        crowded.entered.clear()
        held.append(pool.submit(batcher, _images("b")))
        assert crowded.entered.wait(10)
        asked = []
        for number in range(6):
            asked.append(pool.submit(batcher, _images(f"{number}")))
            _wait_until_waiting(batcher, number + 1)
        crowded.open.set()
        assert [_names(each.result(10)) for each in (*held, *asked)] == [["a"], ["b"], *([str(n)] for n in range(6))]
    # The lane that ends first finds the other busy and takes all, or both have ended and each takes half.
    assert [len(batch) for batch in crowded.batches[2:]] in ([6], [3, 3])
    batcher.stop()
