"""Row-normalised momentum descent: every row of a matrix, the weights of one neuron, moves equally far.

    Z_t as in Muon (Nesterov momentum);  D_t: each row of Z_t over its length, times c, ||D_t||_F = sqrt(rank Z_t)
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * sqrt(max(1, rows/cols)) * D_t

Evens out rows where Muon evens out singular directions, with steps as long as Muon's; a row of zeros stays. Vectors
take Adam as in Muon. Source: normalisation by rows or columns as in arXiv 2506.16659.
"""

from muon_imbalance.optimizers.adam import Adam
from muon_imbalance.optimizers.base.hyperparameter_types import Beta2, Decay, Eps, Momentum, Nesterov, Rate, Scale
from muon_imbalance.optimizers.base.hyperparameters import rule
from muon_imbalance.optimizers.base.matrices_and_vectors import ByShape
from muon_imbalance.optimizers.geometry.spectra import AsLong, equal_rows
from muon_imbalance.optimizers.steepest import Steepest


@rule
def row_normalised(
    *,
    lr: Rate = 0.02,
    momentum: Momentum = 0.95,
    weight_decay: Decay = 0.0,
    nesterov: Nesterov = True,
    scale: Scale = "original",
    beta2: Beta2 = 0.95,
    eps: Eps = 1e-10,
) -> ByShape:
    """Momentum with rows of equal length, its steps as long as Muon's."""
    return ByShape(
        matrices=Steepest(AsLong(equal_rows, scale), lr, momentum, weight_decay, nesterov),
        vectors=Adam(lr, momentum, beta2, eps, weight_decay, decoupled=True),
    )
