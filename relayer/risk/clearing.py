"""Clearing: what everybody pays when some cannot pay in full.

Units: one currency of the caller's choice. p̄ total obligations, p payments, Π relative obligations (Π_ij = owed by i to
j / p̄_i), e external assets less external liabilities (these are paid first and may exceed the assets: e < 0).

| model | payment of i |
|---|---|
| Eisenberg-Noe | p = min(p̄, max(0, e + Πᵀp)) |
| Rogers-Veraart | p̄ if e + Πᵀp >= p̄, else α e + β Πᵀp, not below 0; α = β = 1 is Eisenberg-Noe |

Always the *greatest* clearing vector: the default sets grow from the empty one, each round solves the payments of the
defaulted exactly with everybody else paying in full, so there are at most n rounds. With default costs the map is not
continuous and an iteration from below would find a smaller vector; from above, this is the greatest.

| rule | choice |
|---|---|
| equality | e + Πᵀp = p̄ pays in full; shortfalls below 10^-12 of p̄ + abs(e) are rounding, not default |
| lower limit | an external debt beyond everything received leaves 0 to pay, never less |
| equity | e + Πᵀp - p̄, negative in default: the part that external creditors lose counts too |
| external debts under default costs | refused: the model has no seniority for them |

Networks up to `DENSE_NODES_MAX` nodes solve each round directly. Larger ones apply the definition itself from full
payment downwards, edge by edge, until no payment moves by more than 10^-15 of the largest obligation, at most
`ROUNDS_MAX` times: `is_converged` says whether they got there; payments are an upper bound if not, and a level is one
step of that iteration.

Source: Eisenberg and Noe (2001); Rogers and Veraart (2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Indices = NDArray[np.int64]

DENSE_NODES_MAX: Final = 200
ROUNDS_MAX: Final = 10_000
DEFAULT_TOLERANCE: Final = 1e-12
STEP_TOLERANCE: Final = 1e-15


@dataclass(frozen=True, slots=True)
class ObligationNetwork:
    """Hold who owes what to whom, edge by edge, and what each has outside the network.

    Edges may repeat; their amounts add up. Raises: ValueError for vectors of other shapes, edges to nowhere, or amounts
    that are negative or not finite.
    """

    debtors: Indices
    creditors: Indices
    amounts: Vector
    external: Vector

    def __post_init__(self) -> None:
        """Refuse what is no network."""
        if not self.debtors.shape == self.creditors.shape == self.amounts.shape or self.external.ndim != 1:
            raise ValueError("debtors, creditors and amounts are vectors of one length")
        ends = np.concatenate([self.debtors, self.creditors])
        if ends.size and (ends.min() < 0 or ends.max() >= self.nodes):
            raise ValueError("an edge leads outside the network")
        if not (np.isfinite(self.amounts).all() and np.isfinite(self.external).all()):
            raise ValueError("amounts must be finite")
        if (self.amounts < 0).any():
            raise ValueError("an obligation is negative")

    @property
    def nodes(self) -> int:
        """Return the number of nodes."""
        return int(self.external.size)

    @property
    def obligations(self) -> Vector:
        """Return p̄: what each node owes in all."""
        return _sums(self.debtors, self.amounts, self.nodes)

    def received(self, payments: Vector) -> Vector:
        """Return Πᵀp: what each node gets when the nodes pay this much in all."""
        owed = self.obligations
        shares = np.divide(payments, owed, out=np.zeros_like(owed), where=owed > 0)
        return _sums(self.creditors, self.amounts * shares[self.debtors], self.nodes)


@dataclass(frozen=True, slots=True)
class Clearing:
    """Hold a clearing vector and how it came about; `levels` are the nodes that default in each round, ascending."""

    payments: Vector
    equity: Vector
    levels: tuple[tuple[int, ...], ...]
    is_converged: bool

    @property
    def defaulted(self) -> tuple[int, ...]:
        """Return the nodes that do not pay in full, ascending."""
        return tuple(sorted(node for level in self.levels for node in level))


@dataclass(frozen=True, slots=True)
class Recovery:
    """Hold the share of external (alpha) and of network assets (beta) that a default leaves, each in 0 … 1."""

    alpha: float = 1.0
    beta: float = 1.0


def _sums(places: Indices, amounts: Vector, nodes: int) -> Vector:
    return np.bincount(places, amounts, nodes).astype(np.float64)


def network_from_matrix(liabilities: Vector, external: Vector) -> ObligationNetwork:
    """Return the network of a matrix, [i][j] = amount that i owes to j; the diagonal is ignored."""
    matrix = np.array(liabilities, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] != np.size(external):
        raise ValueError(f"a square matrix and one external amount per row, got {matrix.shape}")
    np.fill_diagonal(matrix, 0.0)
    debtors, creditors = np.nonzero(matrix)
    return ObligationNetwork(
        debtors.astype(np.int64),
        creditors.astype(np.int64),
        matrix[debtors, creditors],
        np.array(external, dtype=np.float64),
    )


def eisenberg_noe(network: ObligationNetwork) -> Clearing:
    """Return the greatest clearing vector without default costs."""
    return _greatest(network, Recovery())


def rogers_veraart(network: ObligationNetwork, recovery: Recovery) -> Clearing:
    """Return the greatest clearing vector with default costs.

    Raises: ValueError for shares outside 0 … 1, or external debts (e < 0) together with default costs.
    """
    if not (0 <= recovery.alpha <= 1 and 0 <= recovery.beta <= 1):
        raise ValueError(f"recovery shares outside 0..1: {recovery}")
    if recovery != Recovery() and (network.external < 0).any():
        raise ValueError("default costs are not defined for external debts beyond external assets")
    return _greatest(network, recovery)


def _greatest(network: ObligationNetwork, recovery: Recovery) -> Clearing:
    """Let defaults grow from none; each round pays what it can given the defaults so far."""
    owed = network.obligations
    slack = DEFAULT_TOLERANCE * (owed + np.abs(network.external))
    is_small = network.nodes <= DENSE_NODES_MAX
    tolerance = STEP_TOLERANCE * float(owed.max(initial=0.0))
    defaulted = np.zeros(network.nodes, dtype=bool)
    payments, levels, is_converged = owed, [], False
    for _ in range(ROUNDS_MAX):
        fresh = (network.external + network.received(payments) < owed - slack) & ~defaulted
        if fresh.any():
            levels.append(tuple(int(node) for node in np.flatnonzero(fresh)))
            defaulted = defaulted | fresh
        elif is_converged:
            break
        following = _solved(network, defaulted, recovery) if is_small else None
        is_converged = following is not None
        if following is None:
            following = _lowered(network, defaulted, recovery, payments)
            is_converged = float(np.abs(following - payments).max(initial=0.0)) <= tolerance
        payments = following
    equity = network.external + network.received(payments) - owed
    return Clearing(payments=payments, equity=equity, levels=tuple(levels), is_converged=is_converged)


def _lowered(network: ObligationNetwork, defaulted: NDArray[np.bool_], recovery: Recovery, payments: Vector) -> Vector:
    """Apply the definition once, to payments that are not too low."""
    available = recovery.alpha * network.external + recovery.beta * network.received(payments)
    return np.where(defaulted, np.clip(available, 0.0, payments), network.obligations)


def _solved(network: ObligationNetwork, defaulted: NDArray[np.bool_], recovery: Recovery) -> Vector | None:
    """Solve x = max(0, f + A x) of the defaulted exactly; None where that fails.

    From nobody paying upwards: solve for those who have something to pay, let in who has something then, until nobody
    comes or goes. Each step pays at least what the last one paid, so it ends. There is one solution only: a group that
    pays nobody else, and where all default, would have to receive exactly what it pays; in the greatest clearing vector
    somebody of it then pays in full.
    """
    nodes = np.flatnonzero(defaulted)
    owed = network.obligations
    solvent = np.where(defaulted, 0.0, owed)
    fixed = (recovery.alpha * network.external + recovery.beta * network.received(solvent))[nodes]
    inside = recovery.beta * _inside(network, nodes, owed)
    part = np.zeros(nodes.size)
    paying = np.zeros(nodes.size, dtype=bool)
    for _ in range(nodes.size + 2):
        able = fixed + inside @ part > 0
        if (able == paying).all():
            return _placed(solvent, nodes, np.minimum(part, owed[nodes]))
        paying, rows = able, np.flatnonzero(able)
        try:
            solution = np.linalg.solve(np.eye(rows.size) - inside[np.ix_(rows, rows)], fixed[rows])
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(solution).all() or (solution > owed[nodes[rows]] * (1 + DEFAULT_TOLERANCE)).any():
            return None
        part = _placed(np.zeros(nodes.size), rows, solution.astype(np.float64))
    return None


def _placed(values: Vector, places: Indices, parts: Vector) -> Vector:
    values[places] = parts
    return values


def _inside(network: ObligationNetwork, nodes: Indices, owed: Vector) -> Vector:
    """Return Πᵀ restricted to these nodes: [creditor][debtor]."""
    place = np.full(network.nodes, -1, dtype=np.int64)
    place[nodes] = np.arange(nodes.size)
    kept = (place[network.debtors] >= 0) & (place[network.creditors] >= 0) & (network.amounts > 0)
    debtors, creditors = network.debtors[kept], network.creditors[kept]
    matrix = np.zeros((nodes.size, nodes.size))
    np.add.at(matrix, (place[creditors], place[debtors]), network.amounts[kept] / owed[debtors])
    return matrix
