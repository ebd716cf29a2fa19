"""Which optimizers are compared for agreement, with the reason of each difference and the tolerance.

Tolerances are set from the arithmetic, not from the outcome: rounding in float64 1e-9, in float32 1e-4 (1e-3 through
an iteration); float32 numbers amplified by five iterations (at most 3.4445^5 = 485) 1e-4; bfloat16 and float16, whose
roundings they amplify as much, 0.2. Another algorithm has none; there the row that makes both alike decides.
"""

from benchmarks.agreement import Row
from benchmarks.shapes import SCALARS, SETS, Shape

CHEAP = ("ResNet-18 w16", "transformer d128")
LARGE = ("MLP", "transformer d256")
LARGEST = ("ResNet-18 w64",)
ONE = ("transformer d128",)
KERNELS = ("ResNet-18 w16",)
ROUNDING = "rounding only"
HALF = "bfloat16 iteration there, float32 here"
SIGNS = "rounding, which turns the sign of an entry near 0"
BARE = "Muon, nothing added to the norm"


def _pair(ours: str, public: str, reason: str, tolerance: float, sets: tuple[str, ...]) -> list[Row]:
    """Both as they come, and both in float64."""
    more = {} if reason == ROUNDING else {"explained": (public, "float64")}
    return [
        Row(ours, public, reason, tolerance, sets, **more),
        Row(ours, public, ROUNDING, 1e-9, sets, double=True),
    ]


def _muon(public: str, reason: str, sets: tuple[str, ...], last: int, left: str, rest: float) -> list[Row]:
    """Both as they come; then theirs in float64 without half precision and ours without the eps it adds."""
    return [
        Row("Muon", public, reason, 0.2, sets, explained=(public, "float64"), last=last),
        Row(BARE, public, left, rest, sets, double=True, last=last),
    ]


def rows(available: set[str]) -> list[Row]:
    """The rows whose optimizers are available."""
    express = "pytorch-optimizer Muon, Polar Express"
    gram, gram32 = "pytorch-optimizer Muon, Gram form", "pytorch-optimizer Muon, Gram form in float32"
    jordan, meta = "Keller Jordan's Muon", "DistributedShampoo"
    eps = "1e-7 is a lower bound of the norm there, added here; taken out of ours: rounding only"
    wanted = [
        *_muon("torch.optim.Muon", HALF, CHEAP, 100, eps, 1e-9),
        *_muon("torch.optim.Muon", HALF, LARGE, 10, eps, 1e-9),
        *_muon("torch.optim.Muon", HALF, LARGEST, 1, eps, 1e-9),
        Row(
            "Muon without decay", "torch.optim.Muon, its own decay",
            "weight decay 0.1 by default there, 0 here (first row: equal decay)", 0.5, ONE,
            last=10, explained=("torch.optim.Muon", "float64"),
        ),
        *_muon("pytorch-optimizer Muon", HALF, CHEAP, 100, eps, 1e-9),
        *_muon(gram, "float16 iteration there, float32 here", ONE, 10, "norm in float32 there (6e-8, amplified)", 1e-4),
        Row("Muon", gram32, "float32 in both: rounding, amplified", 1e-3, CHEAP, explained=(gram, "float64")),
        Row(
            "Muon, Polar Express", express, "other constants: a wider safety margin in each polynomial there; bfloat16",
            0.2, ONE, last=10, explained=(express, "float64"),
        ),
        Row("Muon, their Polar Express", express, "their constants in ours; " + eps, 1e-9, ONE, double=True, last=10),
        Row(
            "Muon", jordan, "scale of a 1 x 1 kernel from its own sides there (1), from the matrix here (sqrt 2)",
            0.5, KERNELS, kernels=True, explained=(jordan, "float64"),
        ),
        Row("Muon, scale of the kernel", jordan, ROUNDING, 1e-9, KERNELS, double=True, kernels=True),
        *_pair("SGD", "torch.optim.SGD", ROUNDING, 1e-4, CHEAP),
        *_pair("Adam", "torch.optim.Adam", ROUNDING, 1e-4, CHEAP),
        *_pair("AdamW", "torch.optim.AdamW", ROUNDING, 1e-4, ONE),
        *_pair("Signum", "pytorch-optimizer SignSGD", SIGNS, 0.02, CHEAP),
        *_pair("Lion", "pytorch-optimizer Lion", SIGNS, 0.02, CHEAP),
        Row(
            "Shampoo, sums, no epsilon", "torch.optim.Adagrad",
            "on single numbers Shampoo with sums is Adagrad: rounding only", 1e-9, ("64 scalars",), double=True,
        ),
        Row(
            "Shampoo", meta, "axes are merged there as far as 1024 entries go: a small kernel is a vector",
            None, KERNELS, kernels=True, last=10, explained=(f"{meta}, float64 factors", "float64"),
        ),
        Row(
            "Shampoo", f"{meta}, matrices", "roots of nearly singular averages in float32 there, in float64 here",
            0.2, KERNELS, last=10, explained=(f"{meta}, float64 factors", "float64"),
        ),
    ]  # fmt: skip
    exact, unbiased = "rounding of the roots", (f"{meta}, no bias correction", "float64")
    float32 = "bias correction 1 - 0.999^t taken in float32 there (6e-8 / 1e-3 at step 1)"
    wanted += [
        Row("Shampoo, no bias correction", unbiased[0], exact, 1e-9, CHEAP, double=True, last=10),
        Row(
            "Shampoo", f"{meta}, float64 factors", float32, 1e-5, CHEAP, double=True, last=10,
            explained=unbiased,
        ),
        Row(
            "Shampoo, Adam's step size", f"{meta}, Adam's step size, float64 factors", float32, 1e-5, ONE,
            double=True, last=10, explained=unbiased,
        ),
        Row(
            "Shampoo, refresh 10", f"{meta}, refresh 10",
            "first powers at step 10 there (until then momentum alone), at step 1 here", None, ONE,
            explained=(f"{meta}, refresh 10, float64 factors", "float64"),
        ),
        Row(
            "Shampoo, refresh 10, late start", f"{meta}, refresh 10, float64 factors", float32, 1e-5, ONE,
            double=True, explained=unbiased,
        ),
        Row(
            "Shampoo, sums", "pytorch-optimizer Shampoo", "an accumulator for each axis of a kernel and powers -1/8 "
            "there, matrices and -1/4 here", None, KERNELS, kernels=True, last=10,
            explained=("pytorch-optimizer Shampoo", "float64"),
        ),
        Row("Shampoo, sums", "pytorch-optimizer Shampoo", "as matrices: " + exact, 1e-5, ONE, double=True, last=10),
        Row(
            "Shampoo, uncorrected average", "pytorch-optimizer ScalableShampoo",
            "roots by an iteration stopped at 1e-3 there and a ridge relative to the largest eigenvalue", 0.5, ONE,
            last=10, explained=("pytorch-optimizer ScalableShampoo, SVD", "float64"),
        ),
        Row(
            "Shampoo, uncorrected average, small epsilon", "pytorch-optimizer ScalableShampoo, SVD",
            "epsilon 1e-12 decays with the average there, is added to the root here", 1e-5, ONE, double=True, last=10,
        ),
    ]  # fmt: skip
    return [row for row in wanted if row.public in available and row.ours in available]


def sets() -> dict[str, list[Shape]]:
    """The sets of shapes that rows name."""
    return SETS | {"64 scalars": SCALARS}
