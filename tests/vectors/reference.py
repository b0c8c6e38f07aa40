#!/usr/bin/python3
"""Reference values of numpy's Generator for the distributions that the other vectors leave out.

Writes distributions.json and multivariate.json, in the form that README.md describes, into a
folder (this one, unless told). With --random CASES it writes a distributions.json of random
parameters instead: as many draws as one likes, each step told by its checksum alone. Debian:
python3-numpy, of which /usr/bin/python3 knows.
"""
import argparse
import json
import math
import os
import random

import numpy

MASK = 2**64 - 1
MULTIPLIER = 6364136223846793005
BITGENS = ("PCG64", "PCG64DXSM", "Philox")

# Each operation's parameters, by numpy's names.
PARAMETERS = {
    "integers": ("low", "high"),
    "standard_gamma": ("shape",),
    "gamma": ("shape", "scale"),
    "chisquare": ("df",),
    "noncentral_chisquare": ("df", "nonc"),
    "f": ("dfnum", "dfden"),
    "noncentral_f": ("dfnum", "dfden", "nonc"),
    "standard_t": ("df",),
    "beta": ("a", "b"),
    "dirichlet": ("alpha",),
    "lognormal": ("mean", "sigma"),
    "standard_cauchy": (),
    "wald": ("mean", "scale"),
    "vonmises": ("mu", "kappa"),
    "weibull": ("a",),
    "pareto": ("a",),
    "power": ("a",),
    "rayleigh": ("scale",),
    "laplace": ("loc", "scale"),
    "logistic": ("loc", "scale"),
    "gumbel": ("loc", "scale"),
    "triangular": ("left", "mode", "right"),
    "binomial": ("n", "p"),
    "multinomial": ("n", "pvals"),
    "negative_binomial": ("n", "p"),
    "poisson": ("lam",),
    "geometric": ("p",),
    "hypergeometric": ("ngood", "nbad", "nsample"),
    "logseries": ("p",),
}

# Chosen so that every branch of each method is taken, on both sides of each of its bounds.
ARGUMENTS = {
    "standard_gamma": [(x,) for x in (0.0, 1e-3, 0.1, 0.5, 0.999, 1.0, math.nextafter(1, 2), 1.5,
                                      2.5, 10.0, 1e3, 1e8, 1e300)],
    "gamma": [(0.5, 2.0), (1.0, 3.0), (7.3, 0.1), (2.0, 0.0), (0.0, 1.0), (0.3, 1e-3), (40.0, 1e6)],
    "chisquare": [(x,) for x in (0.5, 1.0, 2.0, 3.0, 10.0, 100.5)],
    "noncentral_chisquare": [(3.0, 0.0), (3.0, 2.5), (1.0, 2.5), (0.5, 40.0), (1.5, 1e-9)],
    "f": [(1.0, 1.0), (2.0, 5.0), (0.5, 30.0), (100.0, 3.0)],
    "noncentral_f": [(3.0, 20.0, 3.0), (1.0, 2.0, 0.0), (0.5, 4.0, 9.0)],
    "standard_t": [(x,) for x in (0.5, 1.0, 2.0, 3.0, 10.0, 30.0, 1e6)],
    "beta": [(0.5, 0.5), (1.0, 1.0), (0.02, 0.03), (1e-3, 1e-3), (2.0, 3.0), (1.0, 2.0),
             (0.5, 3.0), (100.0, 0.2), (1e5, 2e5)],
    "dirichlet": [([1.0],), ([0.5, 0.5],), ([10.0, 5.0, 3.0],), ([0.09, 0.05, 0.01, 0.02],),
                  ([0.1, 0.05],), ([0.05],)],
    "lognormal": [(0.0, 1.0), (1.5, 0.25), (-3.0, 0.0)],
    "standard_cauchy": [()],
    "wald": [(1.0, 1.0), (3.0, 0.5), (0.1, 20.0)],
    "vonmises": [(0.0, 0.0), (0.0, 1e-9), (1.0, 1e-6), (0.0, 0.5), (3.0, 4.0), (-3.0, 50.0),
                 (3.14159, 2e6), (0.0, 2e6)],
    "weibull": [(0.0,), (0.5,), (1.0,), (5.0,)],
    "pareto": [(0.5,), (1.0,), (3.0,)],
    "power": [(0.5,), (1.0,), (5.0,)],
    "rayleigh": [(1.0,), (0.0,), (3.5,)],
    "laplace": [(0.0, 1.0), (1.5, 0.25), (2.0, 0.0)],
    "logistic": [(0.0, 1.0), (1.5, 0.25)],
    "gumbel": [(0.0, 1.0), (1.5, 0.25)],
    "triangular": [(0.0, 0.5, 1.0), (-3.0, -3.0, 8.0), (-1.0, 4.0, 4.0)],
    "binomial": [(0, 0.5), (10, 0.0), (10, 1.0), (1, 0.5), (10, 0.3), (60, 0.5), (61, 0.5),
                 (100, 0.29), (100, 0.31), (100, 0.71), (100, 0.6), (100, 0.9), (1000, 0.03),
                 (1000, 0.031), (10**6, 0.5), (10**6, 0.97), (10**9, 1e-8), (10**9, 1e-7),
                 (10**12, 0.4), (10**18, 1e-17), (2**62, 0.5), (2**63 - 2, 0.75)],
    "multinomial": [(20, [1 / 6] * 6), (100, [0.2, 0.3, 0.5]), (0, [0.5, 0.5]), (7, [1.0]),
                    (1000, [0.0, 0.9, 0.1, 0.0]), (5, [1.0, 0.0, 0.0])],
    "negative_binomial": [(1.0, 0.1), (0.5, 0.5), (10.0, 0.9), (3.3, 1.0), (1e4, 0.01)],
    "poisson": [(x,) for x in (0.0, 1e-3, 0.5, 3.0, math.nextafter(10, 0), 10.0, 10.5, 30.0, 1e3,
                               1e6, 1e10, 1e15, 9e18)],
    "geometric": [(x,) for x in (1e-12, 0.01, 0.3, 1 / 3, math.nextafter(1 / 3, 0), 0.5, 0.99,
                                 1.0)],
    "hypergeometric": [(10, 20, 9), (10, 20, 10), (10, 20, 20), (10, 20, 21), (20, 10, 15),
                       (0, 30, 12), (30, 0, 12), (0, 0, 0), (5, 4, 9), (1000, 500, 700),
                       (500, 1000, 1200), (999999999, 999999999, 10**9), (100, 100000, 50000)],
    "logseries": [(0.0,), (0.1,), (0.6,), (0.99,), (1 - 1e-9,)],
}


def words(value):
    """64-bit patterns of an array of doubles or integers, in C's order."""
    return numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint64)


def sums(value):
    bits = words(value)
    powers = numpy.full(len(bits), MULTIPLIER, numpy.uint64)
    if len(bits):
        powers[0] = 1
    powers = numpy.multiply.accumulate(powers)[::-1]
    return {"n": len(bits), "sum": str(int(bits.sum(dtype=numpy.uint64))),
            "xor": str(int(numpy.bitwise_xor.reduce(bits)) if len(bits) else 0),
            "poly": str(int((bits * powers).sum(dtype=numpy.uint64)))}


def text(value):
    if isinstance(value, (list, tuple)):
        return [text(x) for x in value]
    return float(value).hex() if isinstance(value, float) else str(int(value))


def state_of(generator):
    state = generator.bit_generator.state
    inner = state["state"]
    if state["bit_generator"] == "Philox":
        told = {"counter": text(list(inner["counter"])), "key": text(list(inner["key"])),
                "buffer": text(list(state["buffer"])), "buffer_pos": state["buffer_pos"]}
    else:
        told = {"state": text(inner["state"]), "inc": text(inner["inc"])}
    return dict(told, has_uint32=state["has_uint32"], uinteger=str(state["uinteger"]))


def generator_of(bitgen, entropy):
    sequence = numpy.random.SeedSequence(entropy)
    return numpy.random.Generator(getattr(numpy.random, bitgen)(sequence))


def arguments_of(op, values):
    """For numpy: integers stay integers, doubles doubles."""
    return dict(zip(PARAMETERS[op], values))


def step(generator, op, values, size, whole):
    arguments = arguments_of(op, values)
    told = {"op": op, **{name: text(value) for name, value in arguments.items()}, "size": size}
    drawn = numpy.asarray(getattr(generator, op)(**arguments, size=size))
    if whole:
        told["out"] = [text(x.item()) for x in drawn.reshape(-1)]
    else:
        told["bits"] = sums(drawn)
    told["after"] = state_of(generator)
    return told


def case(label, bitgen, entropy, steps):
    return {"label": label, "bitgen": bitgen,
            "seed": {"entropy": [str(entropy)], "spawn_key": [], "pool_size": 4}, "steps": steps}


def fixed_cases():
    """Each operation with each of its arguments: one, several, and many by their checksum."""
    number = 5000
    for op, sets in ARGUMENTS.items():
        for values in sets:
            bitgen = BITGENS[number % 3 if number % 2 else 0]
            generator = generator_of(bitgen, number)
            # First an integer: its other half word must live through all that follows.
            yield case(f"{op}{values}", bitgen, number,
                       [step(generator, "integers", (0, 10), None, True)] +
                       [step(generator, op, values, size, whole)
                        for size, whole in ((None, True), (6, True), (2000, False))])
            number += 1
    # N.B. numpy keeps the set-up of the last binomial: it must not show.
    generator = generator_of("PCG64", number)
    yield case("binomials in turn", "PCG64", number,
               [step(generator, "binomial", values, None, True)
                for values in ((100, 0.4), (100, 0.6), (10, 0.4), (100, 0.4), (10, 0.4), (61, 0.5),
                               (60, 0.5), (61, 0.5), (100, 0.6), (100, 0.6))])


def random_real(kind, source):
    """One argument of an operation, over many orders of magnitude."""
    return kind(source) if callable(kind) else kind


def log_uniform(low, high):
    return lambda source: 10 ** source.uniform(low, high)


def either(*kinds):
    return lambda source: random_real(source.choice(kinds), source)


def chance(source):
    return source.choice((source.random(), 10 ** source.uniform(-9, 0), 0.5, 1.0,
                          1 - 10 ** source.uniform(-9, 0)))


def random_arguments(op, source):
    positive = either(log_uniform(-3, 6), log_uniform(-1, 1), 0.5, 1.0, 2.0)
    location = lambda s: s.gauss(0, 3)
    unit = lambda s: max(chance(s), 1e-12)

    def simplex(_):
        parts = [source.random() for _ in range(source.randint(1, 8))]
        return [x / math.fsum(parts) * (1 - 1e-13) for x in parts]

    if op == "hypergeometric":
        good, bad = (int(10 ** source.uniform(0, 8.9)) for _ in range(2))
        return good, bad, source.choice((source.randint(0, good + bad),
                                         min(source.randint(0, 40), good + bad)))
    if op == "triangular":
        return tuple(sorted(source.gauss(0, 5) for _ in range(3)))
    kinds = {
        "dirichlet": {"alpha": lambda s: [10 ** s.uniform(-3, s.choice((-1.05, 2)))
                                          for _ in range(s.randint(1, 6))]},
        "multinomial": {"n": lambda s: int(10 ** s.uniform(0, 6)), "pvals": simplex},
        "binomial": {"n": either(lambda s: int(10 ** s.uniform(0, 18)), lambda s: s.randint(0, 200)),
                     "p": chance},
        "negative_binomial": {"n": log_uniform(-2, 6), "p": either(unit, 0.1, 0.5)},
        "poisson": {"lam": either(log_uniform(-3, 18), log_uniform(-1, 2))},
        "geometric": {"p": unit},
        "logseries": {"p": lambda s: min(chance(s), 1 - 1e-12)},
        "vonmises": {"mu": location, "kappa": either(log_uniform(-10, 8), log_uniform(-1, 2))},
        "beta": {"a": either(positive, chance), "b": either(positive, unit)},
        "lognormal": {"mean": location, "sigma": log_uniform(-2, 0.5)},
        "noncentral_chisquare": {"nonc": either(0.0, log_uniform(-2, 3))},
        "noncentral_f": {"nonc": either(0.0, log_uniform(-2, 3))},
    }.get(op, {})
    others = {"loc": location, "mean": positive if op == "wald" else location}
    return tuple(random_real(kinds.get(name) or others.get(name, positive), source)
                 for name in PARAMETERS[op])


def random_cases(count, size, seed):
    source = random.Random(seed)
    ops = list(ARGUMENTS)
    for number in range(count):
        bitgen = source.choice(BITGENS)
        entropy = source.getrandbits(source.choice((31, 64, 128)))
        generator = generator_of(bitgen, entropy)
        op = ops[number % len(ops)]
        steps = []
        for _ in range(4):
            values = random_arguments(op, source)
            try:
                steps.append(step(generator, op, values, size, False))
            except ValueError as error:
                raise SystemExit(f"{op}{values}: {error}")
        yield case(f"{op} {number}", bitgen, entropy, steps)


def covariance(dimension, rank, source):
    factor = source.standard_normal((dimension, rank)) * (1 + numpy.arange(rank))
    return factor @ factor.T


def multivariate_cases():
    """Values to compare within a tolerance: LAPACK's last bits differ from build to build."""
    source = numpy.random.default_rng(20)
    sets = [("one dimension", [1.0], [[4.0]]), ("two", [1.0, 2.0], [[6.0, -3.0], [-3.0, 3.5]]),
            ("diagonal", [0.0, -1.0, 2.0], [[3.0, 0, 0], [0, 1.0, 0], [0, 0, 2.0]])]
    for dimension in (3, 5, 8, 20):
        sets.append((f"{dimension} dimensions", list(source.normal(size=dimension)),
                     covariance(dimension, dimension, source).tolist()))
    for number, (label, mean, matrix) in enumerate(sets):
        for method in ("svd", "eigh", "cholesky"):
            for bitgen, size in (("PCG64", None), ("Philox", 4)):
                entropy = 7000 + number
                generator = generator_of(bitgen, entropy)
                drawn = generator.multivariate_normal(mean, matrix, size=size, method=method)
                yield {"label": f"{label}, {method}", "bitgen": bitgen,
                       "seed": {"entropy": [str(entropy)], "spawn_key": [], "pool_size": 4},
                       "method": method, "dimension": len(mean),
                       "mean": text([float(x) for x in mean]),
                       "cov": text([float(x) for row in matrix for x in row]), "size": size,
                       "out": text([float(x) for x in drawn.reshape(-1)]),
                       "after": state_of(generator)}


def libm_values():
    """Tells whether another C library gives the same last bits."""
    for k in range(1, 501):
        yield from (math.exp(-k / 64), math.log(k / 64), math.pow(k / 512, 1 / 0.37),
                    math.expm1(k / 64), math.cos(k / 64), math.acos(k / 512))


def write(path, form, cases):
    with open(path, "w", encoding="ascii") as file:
        head = json.dumps({"format": form, "numpy": numpy.__version__,
                           "poly_multiplier": str(MULTIPLIER),
                           "libm": sums(numpy.array(list(libm_values())))}, separators=(",\n", ":"))
        file.write("{\n" + head[1:-1] + ",\n\"cases\":[\n")
        file.write(",\n".join(json.dumps(x, separators=(",", ":")) for x in cases))
        file.write("\n]\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--random", type=int, metavar="CASES")
    parser.add_argument("--size", type=int, default=100000, help="draws of each random step")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    path = os.path.join(options.folder, "distributions.json")
    if options.random:
        write(path, "sequence", random_cases(options.random, options.size, options.seed))
        return
    write(path, "sequence", fixed_cases())
    write(os.path.join(options.folder, "multivariate.json"), "multivariate", multivariate_cases())


if __name__ == "__main__":
    main()
