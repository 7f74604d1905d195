"""Torch generators with as much state as their seed."""

import hashlib

import torch

WORDS = 624
"""32-bit words of state that torch's CPU generator (MT19937) has."""
HEAD_BYTES = 24
"""Of a serialised generator, before its words, each of which takes 8 bytes."""
NARROW = 1 << 63


def generator_of(seed: int) -> torch.Generator:
    """A generator seeded by a non-negative integer of any size.

    `manual_seed` keeps 32 bits of a seed, so that whatever is drawn from it can be guessed in 2^32 tries. A seed of 63
    bits or less goes there all the same; a wider one fills the whole state, by SHAKE-256.

    >>> narrow = [torch.rand(1, generator=torch.Generator().manual_seed(seed)).item() for seed in (7, 7 + 2**40)]
    >>> wide = [torch.rand(1, generator=generator_of(seed)).item() for seed in (2**255, 2**255 + 2**40)]
    >>> narrow[0] == narrow[1], wide[0] == wide[1]
    (True, False)
    """
    generator = torch.Generator().manual_seed(seed if seed < NARROW else 0)
    if seed < NARROW:
        return generator
    state = generator.get_state()
    stream = hashlib.shake_256(seed.to_bytes((seed.bit_length() + 7) // 8, "big")).digest(4 * WORDS)
    words = torch.frombuffer(bytearray(stream), dtype=torch.int32).long() & 0xFFFFFFFF
    state[HEAD_BYTES : HEAD_BYTES + 8 * WORDS] = words.view(torch.uint8)
    generator.set_state(state)
    return generator
