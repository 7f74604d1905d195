"""Generators of wide seeds: torch alone keeps 32 bits of a seed."""

import torch

from peabench.generators import generator_of


def stream(seed: int) -> list[float]:
    generator = generator_of(seed)
    return [*torch.rand(5, generator=generator).tolist(), *torch.randn(5, generator=generator).tolist()]


def test_narrow_seeds_are_torchs_own() -> None:
    expected = torch.rand(5, generator=torch.Generator().manual_seed(1234))
    assert torch.equal(torch.rand(5, generator=generator_of(1234)), expected)


def test_torch_forgets_the_upper_half_of_a_seed() -> None:
    one, two = (torch.Generator().manual_seed(seed) for seed in (5, 5 + 2**32))
    assert torch.equal(torch.rand(100, generator=one), torch.rand(100, generator=two))


def test_every_bit_of_a_wide_seed_counts() -> None:
    seeds = [2**255 + 2**bit for bit in range(0, 255, 5)] + [2**255]
    assert len({tuple(stream(seed)) for seed in seeds}) == len(seeds)
    assert stream(2**255 + 1) == stream(2**255 + 1)


def test_wide_seeds_give_uniform_and_normal_numbers() -> None:
    generator = generator_of(2**200 + 17)
    uniform, normal = torch.rand(200_000, generator=generator), torch.randn(200_000, generator=generator)
    assert abs(float(uniform.mean()) - 0.5) < 0.005
    assert abs(float(uniform.std()) - 12**-0.5) < 0.005
    assert abs(float(normal.mean())) < 0.01
    assert abs(float(normal.std()) - 1) < 0.01
    assert abs(float(torch.corrcoef(torch.stack([uniform[:-1], uniform[1:]]))[0, 1])) < 0.01


def test_the_whole_state_is_filled_and_not_the_first_words_alone() -> None:
    words = generator_of(2**255 + 3).get_state()[24 : 24 + 8 * 624].view(torch.int64)
    other = generator_of(2**255 + 4).get_state()[24 : 24 + 8 * 624].view(torch.int64)
    assert int((words != other).sum()) >= 620
    assert int(words.max()) < 2**32
