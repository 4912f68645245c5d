"""Where to draw the nodes of a graph: in layers, from left to right, without overlap.

It is the method of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system structures", IEEE
Transactions on Systems, Man, and Cybernetics 11, 1981) in its simplest form. Each node gets a layer, to the right of all nodes
that it comes from. Edges that span several layers get a point in each. The order within the layers is improved by
barycentres. At the end, each node moves towards the middle of its neighbours, as far as there is room.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

SWEEPS = 12


def layers(nodes: Sequence[Hashable], edges: Sequence[tuple], left: Collection = ()) -> dict:
    """Return the layer of each node. It is to the right of all that it comes from. The nodes in `left` stay on the left."""
    layer = dict.fromkeys(nodes, 0)
    sources: dict = {}
    for start, end in edges:
        sources.setdefault(end, []).append(start)
    for node in nodes:
        layer[node] = max((layer[start] + 1 for start in sources.get(node, ())), default=0)
    targets: dict = {}
    for start, end in edges:
        targets.setdefault(start, []).append(layer[end])
    for node in set(targets) - set(left) - {end for _, end in edges}:  # inputs and constants move to where they are first used
        layer[node] = min(targets[node]) - 1
    return layer


def positions(nodes: Sequence[Hashable], edges: Sequence[tuple], left: Collection = ()) -> tuple[dict, dict]:
    """Lay out a graph.

    Parameters
    ----------
    nodes : sequence
        In such an order that all edges go forwards.
    edges : sequence of pairs of nodes
    left : collection of nodes
        Nodes without an edge to them that stay on the left. Others stand where they are first used.

    Returns
    -------
    tuple of two dicts
        For each node its (layer, height), where nodes of a layer are at least 1 apart. For each edge that spans several
        layers, the points in between.
    """
    edges = list(dict.fromkeys(edges))
    layer = layers(nodes, edges, left)
    columns: list[list] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for node in nodes:
        columns[layer[node]].append(node)
    before: dict = {}
    after: dict = {}
    chains: dict = {}
    for start, end in edges:
        chain = [start]
        for i in range(layer[start] + 1, layer[end]):
            point = (start, end, i)
            columns[i].append(point)
            chain.append(point)
        chain.append(end)
        chains[start, end] = chain[1:-1]
        for a, b in zip(chain, chain[1:]):
            after.setdefault(a, []).append(b)
            before.setdefault(b, []).append(a)

    height = {item: float(i) for column in columns for i, item in enumerate(column)}
    for sweep in range(SWEEPS):
        neighbours, order = (before, columns) if sweep % 2 == 0 else (after, columns[::-1])
        for column in order:
            middle = {item: _mean([height[other] for other in neighbours.get(item, ())], height[item]) for item in column}
            column.sort(key=middle.__getitem__)
            for i, item in enumerate(column):
                height[item] = i - (len(column) - 1) / 2
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 else columns[::-1]:
            wanted = [_mean([height[other] for other in (*before.get(item, ()), *after.get(item, ()))], height[item]) for item in column]
            for item, place in zip(column, _apart(wanted)):
                height[item] = place
    at = {item: (float(i), height[item]) for i, column in enumerate(columns) for item in column}
    return {node: at[node] for node in nodes}, {edge: [at[point] for point in chain] for edge, chain in chains.items()}


def _mean(numbers: list[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _apart(wanted: list[float]) -> list[float]:
    """Return places in the same order, at least 1 apart, close to the wanted ones.

    Places that would be too close form a block, which stands in the middle of what its members want.
    """
    blocks: list[list] = []  # each: the sum of (wanted - offset), and the number of members
    for place in wanted:
        blocks.append([place, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] + blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total - count * blocks[-1][1]
            blocks[-1][1] += count
    return [total / count + i for total, count in blocks for i in range(count)]
