"""Writes the state dicts that src/train/model/weights/tests.rs reads: in the format that torch.save has (zipped.pth),
in the one it had before 1.6 (legacy.pth), within a training script's dictionary (nested.pth), and beside an object
(object.pth), which is to be refused. Run with torch installed:  python make_pth.py"""
import argparse
import collections

import torch

whole = torch.arange(12.0).reshape(3, 4) / 8
state = collections.OrderedDict(
    [
        ("a.weight", whole.clone()),
        ("a.transposed", whole.t()),  # the same storage as the next
        ("a.part", whole[1:, 1:3]),
        ("b.half", torch.tensor([0.5, -2.0], dtype=torch.float16)),
        ("b.double", torch.tensor([[1.0]], dtype=torch.float64)),
        ("b.num_batches_tracked", torch.tensor(1000)),
        ("b.parameter", torch.nn.Parameter(torch.tensor([3.0, 4.0]))),
    ]
)
state._metadata = {"": {"version": 1}}
torch.save(state, "zipped.pth")
torch.save(state, "legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "best": 0.5, "arch": None, "state_dict": state, "lr": [1e-3]}, "nested.pth")
torch.save({"args": argparse.Namespace(lr=1), "state_dict": state}, "object.pth")
