"""One optimizer for matrices and kernels, another for vectors."""

from muon_imbalance.optimizers.core import Optimizer, Tensors, is_matrix


class ByShape:
    """`matrices` updates parameters [S, out, in, ...], `vectors` updates [S, n]; states share a dict."""

    def __init__(self, matrices: Optimizer, vectors: Optimizer):
        self.matrices, self.vectors = matrices, vectors

    def init(self, params: Tensors) -> Tensors:
        matrices, vectors = _split(params)
        return self.matrices.init(matrices) | self.vectors.init(vectors)

    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        return self._step(params, grads, state, self.matrices.step)

    def step_(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        """The same step, for the matrices in the memory of params and state."""
        return self._step(params, grads, state, self.matrices.step_)

    def _step(self, params: Tensors, grads: Tensors, state: Tensors, matrix_step) -> tuple[Tensors, Tensors]:
        (matrices, vectors), (matrix_grads, vector_grads) = _split(params), _split(grads)
        new_matrices, matrix_state = matrix_step(matrices, matrix_grads, state)
        new_vectors, vector_state = self.vectors.step(vectors, vector_grads, state)
        new = new_matrices | new_vectors
        return {name: new[name] for name in params}, matrix_state | vector_state


def _split(tensors: Tensors) -> tuple[Tensors, Tensors]:
    return (
        {name: tensor for name, tensor in tensors.items() if is_matrix(tensor)},
        {name: tensor for name, tensor in tensors.items() if not is_matrix(tensor)},
    )
