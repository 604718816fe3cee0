"""A tfds builder whose preparation resumes."""

import tensorflow_datasets as tfds
from etils import epath

from flaxheads.data.output_files import locked


class ResumableBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Base of the datasets that take hours to make.

  Finished parts are kept in `work_folder`, beside the dataset, so that the same
  call resumes after an interruption. The dataset appears when it is complete.
  """

  VERSION = tfds.core.Version('1.0.0')
  # tensorflow-datasets downloads nothing, so there are no checksums beside the
  # code. Searching for them needs a package that it does not require.
  code_path = None

  @property
  def work_folder(self) -> epath.Path:
    """The folder of finished parts."""
    return epath.Path(self.data_dir).parent / 'unfinished'

  def download_and_prepare(self, **kwargs):
    """Makes the dataset; see tfds.core.DatasetBuilder."""
    self.work_folder.mkdir(parents=True, exist_ok=True)
    with locked(self.work_folder):
      super().download_and_prepare(**kwargs)
    self.work_folder.rmtree()
