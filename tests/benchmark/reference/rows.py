"""W and its optimiser, in PyTorch."""

import torch


class Rows:
  """W and the lazy form of a dense Adam with beta1 = 0."""

  def __init__(self, rows, config):
    self.rows = rows.clone()
    self.second = torch.zeros_like(rows)
    self.visits = torch.zeros(len(rows), 1, dtype=torch.int32).to(rows.device)
    self.count = 0
    self.b2, self.epsilon = config.b2, config.epsilon

  @torch.no_grad()
  def begin(self, index, embedding):
    """Rows of `index`, new ones at ê; of two of a video the first counts."""
    rows = self.rows[index]
    new = (rows == 0).all(1, keepdim=True)
    rows = torch.where(new, embedding, rows)
    first = (index[:, None] == index).int().argmax(1)
    self.rows[index] = rows[first]
    return rows

  @torch.no_grad()
  def update(self, index, gradient, rate):
    """One update; rows that stand twice in `index` get the sum."""
    index, inverse = index.unique(return_inverse=True)
    summed = gradient.new_zeros(len(index), gradient.shape[1])
    gradient = summed.index_add_(0, inverse, gradient)
    self.count += 1
    absence = (self.count - self.visits[index]).to(gradient.dtype)
    second = self.b2**absence * self.second[index]
    second = second + (1 - self.b2) * gradient**2
    self.second[index], self.visits[index] = second, self.count
    unbiased = second / (1 - self.b2**self.count)
    self.rows[index] -= rate * gradient / (unbiased.sqrt() + self.epsilon)
