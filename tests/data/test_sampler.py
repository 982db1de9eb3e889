from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.data.batches.sampler import EpochBatches


def epoch(sampler, number):
    sampler.set_epoch(number)
    return list(sampler)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5))
def test_an_epoch_is_every_image_once(size, batch_size, number):
    sampler = EpochBatches(size, batch_size, seed=3)
    batches = epoch(sampler, number)
    items = list(chain.from_iterable(batches))
    assert sorted(index for _, index in items) == list(range(size))
    assert {one for one, _ in items} == {number}
    assert len(batches) == len(sampler)
    assert all(len(batch) > 1 for batch in batches) or size == 1 or batch_size == 1
    assert all(len(batch) <= batch_size + 1 for batch in batches)


@given(st.integers(1, 20), st.integers(1, 30), st.integers(1, 6))
def test_with_steps_epochs_cut_one_endless_sequence(size, batch_size, steps):
    sampler = EpochBatches(size, batch_size, seed=0, steps=steps)
    batches = [batch for number in range(3) for batch in epoch(sampler, number)]
    assert [len(batch) for batch in batches] == [batch_size] * (3 * steps)
    items = list(chain.from_iterable(batches))
    passes = EpochBatches(size, size, seed=0)
    endless = list(chain.from_iterable(epoch(passes, n)[0] for n in range(len(items) // size + 1)))
    assert items == endless[: len(items)]


def test_the_order_depends_on_seed_and_epoch_only():
    one, other = EpochBatches(50, 8, seed=1), EpochBatches(50, 8, seed=1)
    epoch(one, 0)
    assert epoch(one, 4) == epoch(other, 4)
    assert epoch(one, 4) != epoch(one, 5)
    assert epoch(one, 4) != epoch(EpochBatches(50, 8, seed=2), 4)


@pytest.mark.parametrize("size", [2, 5])
def test_every_order_is_as_likely(size):
    first = [epoch(EpochBatches(size, size, seed=0), n)[0][0][1] for n in range(400)]
    counts = np.bincount(first, minlength=size)
    assert (abs(counts - 400 / size) < 5 * np.sqrt(400 / size)).all()
