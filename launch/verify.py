r"""Says whether images and videos are synthetic, and whether they changed.

  python -m launch.verify out/demo/animation.mp4
  python -m launch.verify clip.mp4 picture.png --json

For each file, and each image and video in a folder: the verdict (synthetic,
altered or unknown), its Content Credentials (trusted, untrusted, altered or
absent) and the watermark in its pixels. Trusted are this installation, the
certificates in its folder `trusted`, and those of --trust.
"""

import json

from absl import flags

from flaxheads.errors import UserError
from flaxheads.provenance import examine, identity

from . import _logs, app
from ._messages import say

_JSON = flags.DEFINE_bool('json', False, 'Print JSON instead of text.')
_TRUST = flags.DEFINE_string(
  'trust', None, 'File of further root certificates to trust (PEM).'
)
_FILES = app.take_files('what to verify: images, videos or folders')


def main():
  """Verifies."""
  roots = identity.trusted_roots(_TRUST.value)
  paths = [path for given in _FILES() for path in examine.files_of(given)]
  if len(paths) > examine.MAX_FILES:
    raise UserError(f'more than {examine.MAX_FILES} files; give fewer')
  findings, failed = [], 0
  with _logs.progress_bar(paths, 'verifying', unit=' files') as bar:
    for path in bar:
      try:
        findings.append(examine.examine(path, roots))
      except UserError as error:
        if len(paths) == 1:
          raise
        say(str(error))  # of a folder, one file stops no other
        failed += 1
        continue
      if not _JSON.value:
        print(findings[-1].in_words(), flush=True)
  if _JSON.value:
    print(json.dumps([finding.as_json() for finding in findings], indent=2))
  if failed:
    raise UserError(
      f'{failed} of {len(paths)} files could not be examined, see above; the '
      'others were'
    )


if __name__ == '__main__':
  app.run(main)
