"""The same system in PyTorch, for parity and for the clock. Development only.

Written as a PyTorch engineer would who cares for speed: torch's own fused
normalisation, attention and Adam, channels_last, torch.compile and autocast as
options. It shares weights with ours (`weights.py`), and nothing else in
flaxheads imports it.
"""
