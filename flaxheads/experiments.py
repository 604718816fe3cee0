"""All kinds of experiments, and how one is read."""

from flaxheads.baseline_config import Pix2pixHDConfig, X2FaceConfig
from flaxheads.config import Checked, Config, from_dict
from flaxheads.errors import UserError
from flaxheads.face_identity_config import FaceIdentityConfig

KINDS = {
  'x2face': X2FaceConfig,
  'pix2pixhd': Pix2pixHDConfig,
  'face_identity': FaceIdentityConfig,
}


def read_config(values: dict) -> Checked:
  """A config of any kind from nested dicts; the model's has no `kind`.

  Raises:
    UserError: no such kind or field, or a value that is not allowed.
  """
  name = values.get('kind')
  if name is None:
    return from_dict(values, Config)
  if not isinstance(name, str) or name not in KINDS:
    raise UserError(f'kind: {name!r} is not one of {", ".join(KINDS)}')
  return from_dict(values, KINDS[name])
