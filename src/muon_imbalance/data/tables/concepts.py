"""Principal components of a table of attributes, and the distinctions of its hierarchy. NumPy only.

A model gives ``S [organisms, attributes]``, its probabilities; ``P`` are those of the table, ``C = P - 1/organisms``.
What was learned of a direction is measured as a share, 0 for the uniform answer and 1 for ``S = P``:

    mode c:          u_c^T (S - 1/n) v_c / s_c           with C = sum_c s_c u_c v_c^T
    distinction c:   u_c^T (S - 1/n) v_c / s_c           with u_c = q_c, s_c v_c = C^T q_c
"""

from dataclasses import dataclass

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.tables.organisms import Table

Array = np.ndarray
EQUAL = 1e-9  # singular values that differ by less belong to one subspace


@dataclass(frozen=True)
class Directions:
    """Pairs of unit vectors ``left [m, organisms]``, ``right [m, attributes]``, their ``size [m]`` and names.

    A name ends in the rank of its direction, from 1 on, with a letter where several have the same rank.
    """

    names: list[str]
    left: Array
    right: Array
    size: Array

    @property
    def templates(self) -> Array:
        """``u_c v_c^T / s_c``, ``[m, organisms, attributes]``: their products with ``S - 1/n`` are the shares."""
        return self.left[:, :, None] * (self.right / self.size[:, None])[:, None, :]


def centred(table: Table) -> Array:
    """``C = P - 1/organisms``, ``[organisms, attributes]``."""
    return table.probability - 1 / len(table.organisms)


def _named(prefix: str, ranks: list[int]) -> list[str]:
    """``mode_1, mode_2, mode_3a, mode_3b``."""
    letters = [chr(ord("a") + ranks[:i].count(rank)) if ranks.count(rank) > 1 else "" for i, rank in enumerate(ranks)]
    return [f"{prefix}_{rank}{letter}" for rank, letter in zip(ranks, letters, strict=True)]


def distinctions(table: Table) -> Directions:
    """One direction per pair of sibling categories A, B: ``q ~ 1_A/|A| - 1_B/|B|``; its rank is their level, from 1 on.

    Siblings are the parts of one category (or of everything) that are part of nothing smaller.

    Raises:
        UserError: a category without exactly one sibling.
    """
    members, sizes = table.members.astype(float), table.members.sum(1)
    parents = []
    for own, size in zip(members, sizes, strict=True):
        above = [d for d, other in enumerate(members) if (other >= own).all() and sizes[d] > size]
        parents.append(min(above, key=lambda d: sizes[d]) if above else -1)
    left, ranks = [], []
    for parent in dict.fromkeys(parents):
        pair = [c for c, other in enumerate(parents) if other == parent]
        if len(pair) != 2 or len(set(table.level[pair])) > 1:
            names = ", ".join(table.categories[c] for c in pair)
            raise UserError(f"organisms: the categories {names}; allowed: two siblings of one level")
        contrast = members[pair[0]] / sizes[pair[0]] - members[pair[1]] / sizes[pair[1]]
        left.append(contrast / np.linalg.norm(contrast))
        ranks.append(int(table.level[pair[0]]) + 1)
    order = np.argsort(ranks, kind="stable")
    q = np.stack(left)[order]
    projected = q @ centred(table)
    size = np.linalg.norm(projected, axis=1)
    return Directions(_named("level", [ranks[i] for i in order]), q, projected / size[:, None], size)


def modes(table: Table) -> Directions:
    """Singular pairs of ``C`` with a value above 0, the largest first; equal values share a rank.

    Within the subspace of an equal value any basis would do; it is turned towards the distinctions of the hierarchy.
    """
    u, s, _ = np.linalg.svd(centred(table), full_matrices=False)
    kept = s > EQUAL * s[0]
    u, s = u[:, kept], s[kept]
    ranks = [1]
    for before, after in zip(s[:-1], s[1:], strict=True):
        ranks.append(ranks[-1] + (before - after > EQUAL * s[0]))
    rank, q = np.array(ranks), distinctions(table).left
    for value in dict.fromkeys(ranks):
        space = u[:, rank == value]  # [organisms, m]
        nearest = q @ space  # rows: distinctions within the subspace
        if space.shape[1] > 1:
            best = np.sort(np.argsort(-np.linalg.norm(nearest, axis=1), kind="stable")[: space.shape[1]])
            a, _, bt = np.linalg.svd(nearest[best])
            space = space @ (a @ bt).T  # the orthonormal basis closest to them
        signs = np.sign(space[np.abs(space).argmax(0), np.arange(space.shape[1])])
        u[:, rank == value] = space * signs
    right = (u.T @ centred(table)) / s[:, None]
    return Directions(_named("mode", ranks), u.T, right, s)


def confusion(table: Table, answer: Array) -> Array:
    """Examples of each category (rows) classified in each category (columns), ``[..., categories, categories]``.

    An example is a pair of an attribute and an organism that has it; its row is the category that the attribute names.
    Categories overlap: an answer counts in every column that it belongs to.

    Args:
        answer: probability of answering with each organism, ``[..., organisms, attributes]``; a most probable organism
            has probability 1.
    """
    pairs = table.has.sum(1) * (table.category == np.arange(len(table.categories))[:, None])  # [categories, attributes]
    return np.einsum("ra,...oa,co->...rc", pairs, answer, table.members)
