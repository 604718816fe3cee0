"""Few-shot people: from a model and T images to an animated person.

`person.Person` is what rendering needs of a person of any kind; `direct` is
the kind that the paper's generator makes. Only `finetuning` trains; it is
imported when it is first used.
"""

from flaxheads.lazy_exports import attach

__getattr__, __dir__, __all__ = attach(
  __name__,
  {
    'flaxheads.fewshot.direct': ('DirectPerson', 'feed_forward'),
    'flaxheads.fewshot.finetuning': ('Progress', 'finetune'),
    'flaxheads.fewshot.model': (
      'Model',
      'load_model',
      'model_from_state',
      'save_model',
    ),
    'flaxheads.fewshot.person': ('Person', 'animate', 'animate_batches'),
    'flaxheads.fewshot.person_folder': ('load_person', 'save_person'),
    'flaxheads.fewshot.realism': ('make_realism_scorer',),
    'flaxheads.fewshot.validation': ('Validator',),
    'flaxheads.fewshot.validator': ('make_validator',),
  },
)
