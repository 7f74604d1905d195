"""What the harness measures of a scorer."""

import copy
import mmap
import time

import pytest
import torch

from peabench import cost
from peabench.cost import PROC, Meter, measured


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


def hold(megabytes: float) -> None:
    """As many tensors of a tenth of a megabyte, which an allocator keeps the memory of when they are freed."""
    kept = [torch.ones(25_000) for _ in range(int(10 * megabytes))]
    kept.clear()


@pytest.mark.parametrize("kernel", [True, False])
def test_memory_that_was_held_and_given_back_is_in_the_peak(monkeypatch: pytest.MonkeyPatch, kernel: bool) -> None:
    if not kernel:
        monkeypatch.setattr(cost, "_restarted_peak", lambda: None)
    with measured() as usage, mmap.mmap(-1, 64_000_000) as held:
        held.write(b"\1" * len(held))
        time.sleep(0 if kernel else 0.2)  # some twenty samples
    assert 64_000_000 <= usage.peak_memory_bytes + 2_000_000 <= 160_000_000
    assert usage.wall_seconds > 0


@pytest.mark.skipif(not PROC.exists(), reason="without /proc the peak is sampled")
def test_what_earlier_blocks_took_does_not_hide_what_a_block_takes() -> None:
    peaks = []
    for megabytes in (40, 40, 4, 0):
        with measured() as usage:
            hold(megabytes)
        peaks.append(usage.peak_memory_bytes / 1e6)
    assert peaks == pytest.approx([40, 40, 4, 0], abs=2)


def test_a_block_that_fails_is_measured_too() -> None:
    with pytest.raises(ZeroDivisionError), measured() as usage:
        raise ZeroDivisionError
    assert usage.wall_seconds > 0
