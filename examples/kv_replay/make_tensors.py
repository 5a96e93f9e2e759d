#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_tensors.py OUT.safetensors [KV_HEADS HEADS ROWS WINDOW HEAD_DIM]

Writes one layer's keys [kv_heads, rows, head_dim] and selector queries [heads, window, head_dim]
(oldest first) as `laconic kv replay` reads them. The values are random, but a few rows are made to
look like what the queries ask for, so that a policy has something to find. Standard library only.
"""
import array
import json
import random
import struct
import sys


def write_safetensors(path, tensors):
    """tensors: {name: (shape, array of f32)}."""
    header, offset = {}, 0
    for name, (shape, values) in tensors.items():
        size = 4 * len(values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            file.write(values.tobytes())


def main():
    path = sys.argv[1]
    given = [int(word) for word in sys.argv[2:]]
    kv_heads, heads, rows, window, head_dim = given or [2, 4, 184, 16, 32]
    rng = random.Random(1)

    def gauss(count):
        return array.array("f", (rng.gauss(0, 1) for _ in range(count)))

    queries, keys = gauss(heads * window * head_dim), gauss(kv_heads * rows * head_dim)
    for row in range(50, rows - window, 30):
        for head in range(kv_heads):
            query = head * (heads // kv_heads) * window * head_dim
            start = (head * rows + row) * head_dim
            keys[start:start + head_dim] = queries[query:query + head_dim]
    write_safetensors(path, {"keys": ([kv_heads, rows, head_dim], keys),
                             "queries": ([heads, window, head_dim], queries)})


if __name__ == "__main__":
    main()
