"""Draws a second of libxcluster and of numpy, in turns.

usage: draws.py [--quick] LIBRARY
"""
import ctypes
import sys
import time

import numpy

COUNT = 100000
BITGENS = [numpy.random.PCG64, numpy.random.PCG64DXSM, numpy.random.Philox]
XC_I64 = 6

# Distributions of numpy's names, with arguments that take each of their methods.
DISTRIBUTIONS = [
    ('standard_gamma', 0.5), ('standard_gamma', 2.5), ('chisquare', 3.0), ('standard_t', 5.0),
    ('beta', 0.5, 0.5), ('beta', 2.0, 3.0), ('binomial', 10, 0.3), ('binomial', 1000, 0.4),
    ('poisson', 3.0), ('poisson', 30.0),
]


class Ours:
    """The library's generator, with calls named and bound as numpy's."""

    def __init__(self, library, bitgen, seed):
        self.library = library
        self.rng = ctypes.c_void_p()
        self.out = numpy.zeros(COUNT)
        self.address = ctypes.c_void_p(self.out.ctypes.data)
        self.n = ctypes.c_size_t(COUNT)
        if library.xc_rng_new(ctypes.byref(self.rng), bitgen, ctypes.c_uint64(seed), None):
            sys.exit('draws: no generator')

    def fill(self, name):
        getattr(self.library, name)(self.rng, self.address, self.n)

    def integers(self):
        self.library.xc_integers_fill(self.rng, XC_I64, ctypes.c_int64(0), ctypes.c_int64(1000),
                                      ctypes.c_bool(False), self.address, self.n, None)

    def draw(self, name, *arguments):
        values = [ctypes.c_double(x) if isinstance(x, float) else ctypes.c_int64(x)
                  for x in arguments]
        getattr(self.library, f'xc_{name}_fill')(self.rng, *values, self.address, self.n, None)

    def shuffle(self):
        self.library.xc_shuffle(self.rng, self.address, self.n, ctypes.c_size_t(8))


def pairs(ours, generator):
    """row -> (ours, numpy's): both fill or shuffle an array of COUNT numbers."""
    out = numpy.zeros(COUNT)
    raw = generator.bit_generator.random_raw
    return {
        'raw': (lambda: ours.fill('xc_rng_fill'), lambda: raw(COUNT)),
        'random': (lambda: ours.fill('xc_random_fill'), lambda: generator.random(out=out)),
        'normal': (lambda: ours.fill('xc_standard_normal_fill'),
                   lambda: generator.standard_normal(out=out)),
        'exponential': (lambda: ours.fill('xc_standard_exponential_fill'),
                        lambda: generator.standard_exponential(out=out)),
        'integers': (ours.integers, lambda: generator.integers(0, 1000, COUNT)),
        'shuffle': (ours.shuffle, lambda: generator.shuffle(out)),
    }


def distributions(ours, generator):
    """The same of DISTRIBUTIONS; numpy makes its arrays."""
    def pair(name, *arguments):
        return (lambda: ours.draw(name, *arguments),
                lambda: getattr(generator, name)(*arguments, size=COUNT))
    return {f'{name} {" ".join(map(str, arguments))}': pair(name, *arguments)
            for name, *arguments in DISTRIBUTIONS}


def seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main():
    quick = '--quick' in sys.argv
    library = ctypes.CDLL(sys.argv[-1])
    library.xc_random.restype = ctypes.c_double
    print(f'{"row":24} {"M/s":>8} {"numpy":>8} {"ratio":>6}')
    for number, bitgen in enumerate(BITGENS):
        ours, generator = Ours(library, number, 1), numpy.random.Generator(bitgen(1))
        rows = pairs(ours, generator)
        if bitgen is numpy.random.PCG64:
            rows |= distributions(ours, generator)
        for row, (mine, numpys) in rows.items():
            times = [(seconds(mine), seconds(numpys)) for _ in range(5 if quick else 200)]
            best = [min(column) for column in zip(*times)]
            rates = [COUNT / time / 1e6 for time in best]
            print(f'{bitgen.__name__ + " " + row:24} {rates[0]:8.1f} {rates[1]:8.1f} '
                  f'{rates[0] / rates[1]:6.2f}')
        if library.xc_random(ours.rng) != generator.random():
            sys.exit(f'draws: {bitgen.__name__} is not where numpy\'s is')


if __name__ == '__main__':
    main()
