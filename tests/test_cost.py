"""What the harness measures of a scorer."""

import copy
import mmap
import time

import pytest

from peabench.cost import Meter, measured


def test_the_meter_adds_up_and_starts_again() -> None:
    meter = Meter()
    meter.count_forward(8)
    meter.count_forward(0.5)
    meter.count_backward(4)
    assert (meter.forward, meter.backward) == (8.5, 4)
    meter.reset()
    assert (meter.forward, meter.backward) == (0, 0)


def test_passes_of_a_copied_network_are_counted_too() -> None:
    meter = Meter()
    copy.deepcopy(meter).count_forward(8)
    copy.copy(meter).count_forward(8)
    assert meter.forward == 16


def test_memory_that_was_held_and_given_back_is_in_the_peak() -> None:
    # Mapped anew, where an allocator might hand out pages that the process holds already.
    with measured() as usage, mmap.mmap(-1, 64_000_000) as held:
        held.write(b"\1" * len(held))
        time.sleep(0.2)  # some twenty samples
    assert usage.peak_memory_bytes > 32_000_000
    assert usage.wall_seconds > 0


def test_a_block_that_fails_is_measured_too() -> None:
    with pytest.raises(ZeroDivisionError), measured() as usage:
        raise ZeroDivisionError
    assert usage.wall_seconds > 0
