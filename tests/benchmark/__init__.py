"""How fast flaxheads is, beside PyTorch and beside the machine's limits."""
