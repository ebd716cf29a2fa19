"""One optimizer for matrices and kernels, another for vectors, and for what is named to go with them."""

import re

from torch import Tensor

from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, is_matrix


class ByShape:
    """`matrices` updates parameters [S, out, in, ...], `vectors` updates [S, n]; states share a dict.

    Matrices whose names match `with_vectors` (a regular expression; "": none) go with the vectors.
    """

    def __init__(self, matrices: Optimizer, vectors: Optimizer, with_vectors: str = ""):
        self.matrices, self.vectors = matrices, vectors
        self.named = re.compile(with_vectors) if with_vectors else None

    def init(self, params: Tensors) -> Tensors:
        matrices, vectors = self._split(params)
        return self.matrices.init(matrices) | self.vectors.init(vectors)

    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        (matrices, vectors), (matrix_grads, vector_grads) = self._split(params), self._split(grads)
        new_matrices, matrix_state = self.matrices.step(matrices, matrix_grads, state)
        new_vectors, vector_state = self.vectors.step(vectors, vector_grads, state)
        new = new_matrices | new_vectors
        return {name: new[name] for name in params}, matrix_state | vector_state

    def _split(self, tensors: Tensors) -> tuple[Tensors, Tensors]:
        matrices, vectors = {}, {}
        for name, tensor in tensors.items():
            (matrices if self.takes(name, tensor) else vectors)[name] = tensor
        return matrices, vectors

    def takes(self, name: str, param: Tensor) -> bool:
        """Whether a parameter goes to `matrices`."""
        return is_matrix(param) and (self.named is None or self.named.search(name) is None)
