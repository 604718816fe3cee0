"""Few-shot people: from a model and T pictures to an animated person."""

from flaxheads.fewshot.examiner import make_examiner
from flaxheads.fewshot.finetuning import Progress, finetune
from flaxheads.fewshot.held_out import Examiner
from flaxheads.fewshot.judge import make_judge
from flaxheads.fewshot.model import (
  Model,
  load_model,
  model_from_state,
  save_model,
)
from flaxheads.fewshot.person import (
  Person,
  animate,
  animate_batches,
  feed_forward,
  load_person,
  save_person,
)

__all__ = [
  'Examiner',
  'Model',
  'Person',
  'Progress',
  'animate',
  'animate_batches',
  'feed_forward',
  'finetune',
  'load_model',
  'load_person',
  'make_examiner',
  'make_judge',
  'model_from_state',
  'save_model',
  'save_person',
]
