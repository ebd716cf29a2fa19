"""Interleaved timing, without asserting any duration."""

import pytest
import torch

from benchmarks import shapes, speed, timing
from benchmarks.timing import Times

from . import tiny


def test_every_piece_has_one_sample_a_round(monkeypatch):
    order = []
    works = {name: lambda name=name: order.append(name) for name in "abc"}
    monkeypatch.setattr(timing, "_time", lambda work, repeats, clock: (work(), 1.0)[1])
    times = timing.interleaved(works, seconds=9.0, at_least=2)
    assert [len(t.rounds) for t in times.values()] == [3, 3, 3]
    assert "".join(order) == "aabbcc" + "abcbcacab"  # each twice before: the first time it may import


def test_ratio_is_taken_within_the_rounds():
    """A slow round hits both and does not show."""
    found = timing.ratio(Times((1.0, 10.0, 1.2)), Times((2.0, 20.0, 2.0)))
    assert found.median == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((0.5, 0.55))


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with pytest.raises(ValueError), timing.threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ValueError
    assert torch.get_num_threads() == before


def test_limit_is_that_of_the_faster_product():
    given = [(3, 5)]
    flops = shapes.newton_schulz_flops(given)
    times = {
        f"GEMM {side}": Times((2 * side**3 / rate,)) for side, rate in zip(speed.GEMM_SIDES, (1e9, 2e9), strict=True)
    }
    assert speed.limit(given, times).median == pytest.approx(flops / 2e9)


def test_a_timed_step_moves_the_weights():
    moved = []

    class Spy(torch.optim.SGD):
        def step(self):
            super().step()
            moved.append(self.param_groups[0]["params"][0].detach().clone())

    work = speed.step(lambda params: Spy(params, lr=1.0), tiny.SETS["MLP"], steps=2)
    work()
    assert len(moved) == 2 and not torch.equal(*moved)
    assert moved[0].shape == (6, 18)
