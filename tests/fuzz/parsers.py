"""Coverage-guided fuzzing of whatever reads a file, with atheris.

  make fuzz                       # a minute for each parser
  make fuzz ARGS='landmarks 600'  # ten minutes for one

A parser may return, or raise UserError with a message of one line. Anything
else, 20 seconds or 3 GB of memory end the run and keep the input. Images and
videos are decoded by libraries that are not instrumented: there the fuzzer
mutates blindly, and what it guards are our limits.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=['flaxheads']):
  from flaxheads import config
  from flaxheads.data import (
    dataset_info,
    image,
    kinds,
    records,
    video,
    video_folder,
    video_writer,
  )
  from flaxheads.errors import UserError
  from flaxheads.evaluation import study
  from flaxheads.fewshot import folders
  from flaxheads.landmarks import landmark_files as landmarks
  from flaxheads.provenance import codes, credentials, identity
  from flaxheads.weights import convention, foreign, tensors

import hashlib
import io
import json
import pickle

import numpy as np

from tests.weights import onnx_writer as onnx

_SECONDS = 60
_SCRATCH = Path(tempfile.mkdtemp(prefix='flaxheads-fuzz-'))


def _written(name: str, data: bytes) -> Path:
  path = _SCRATCH / name
  path.write_bytes(data)
  return path


def _folder(data: bytes, tensors_file: bytes = b'') -> str:
  """A person folder whose JSON names the tensors that are there."""
  try:
    values = json.loads(data)
  except (ValueError, RecursionError):
    values = None
  if isinstance(values, dict) and 'sha256' in values:
    values['sha256'] = hashlib.sha256(tensors_file).hexdigest()
    data = json.dumps(values).encode()
  _written('person.json', data)
  _written('tensors.safetensors', tensors_file)
  return str(_SCRATCH)


def _person(data: bytes) -> None:
  description, _ = folders.load(_folder(data), 'person')
  config.from_dict(description.get('model', {}), config.ModelConfig)


def _experiment(data: bytes) -> None:
  try:
    values = json.loads(data)
  except (ValueError, RecursionError):
    return
  if isinstance(values, dict):
    config.from_dict(values)


def _description(data: bytes) -> None:
  _written('features.json', data)
  _written('dataset_info.json', data)
  dataset_info.check_dataset_info(_SCRATCH)


def _record(data: bytes) -> None:
  """A record whose fields come first, and its one image after them."""
  fields = np.frombuffer(data[:12].ljust(12, b'\0'), np.int16)
  num_frames, size, rows, count, length, _ = map(int, fields)
  record = {
    'video_id': data[:4],
    'num_frames': num_frames,
    'image_size': size,
    'points': np.zeros((rows % 4, 68, 2), np.float32),
    'times': np.zeros(length % 4, np.float32),
    'frames': [data[12:]] * (count % 4),
  }
  records.check_record(record)
  records.decode_frames(record, [0], 64)


def _credentials(data: bytes) -> None:
  try:
    store = json.loads(data)
  except (ValueError, RecursionError):
    return
  if isinstance(store, dict):
    credentials._judge('Valid', store)


def _code(data: bytes) -> None:
  soft = np.frombuffer(data.ljust(codes.NUM_CODE_BITS, b'\0'), np.int8)
  codes.decode(soft[: codes.NUM_CODE_BITS])


def _video(data: bytes) -> None:
  for _ in video.VideoReader(_written('a.mp4', data)):
    pass


def _png() -> bytes:
  return image.encode_png(np.zeros((16, 16, 3), np.uint8))


def _mp4() -> bytes:
  path = _SCRATCH / 'seed.mp4'
  with video_writer.VideoWriter(path, 25) as writer:
    for level in (0, 120, 240):
      writer.write(np.full((64, 64, 3), level, np.uint8))
  return path.read_bytes()


def _npz(**arrays) -> bytes:
  made = io.BytesIO()
  np.savez(made, **arrays)
  return made.getvalue()


def _safetensors() -> bytes:
  tensors.save_tree(
    str(_SCRATCH / 'seed'), {'a': {'b': np.zeros(2, np.float32)}}
  )
  return (_SCRATCH / 'seed').read_bytes()


def _good_record() -> bytes:
  fields = np.array([1, 64, 1, 1, 1, 0], np.int16)
  return fields.tobytes() + records.encode_jpeg(np.zeros((64, 64, 3), np.uint8))


def _onnx() -> bytes:
  nodes = [onnx.node('DequantizeLinear', 'qsz', 'w', axis=1, block_size=2)]
  parts = {'q': np.zeros((1, 2), np.int8), 's': np.ones((1, 1), np.float32)}
  parts['z'] = np.zeros((1, 1), np.int8)
  return onnx.model(nodes, [onnx.tensor(*part) for part in parts.items()], 'x')


def _dlib() -> bytes:
  """An affine layer of one channel."""
  axes = b'\1\2' * 2 + b'\1\1' * 3
  return b'\1\7affine_' + axes + np.ones(2, '<f4').tobytes()


def _npy() -> bytes:
  file = io.BytesIO()
  np.save(file, np.random.rand(1, 68, 2))
  return file.getvalue()


def _openface() -> bytes:
  names = ['frame', 'timestamp', 'success']
  names += [f'{axis}_{i}' for axis in 'xy' for i in range(68)]
  row = ['1', '0', '1', *map(str, range(2 * 68))]
  return f'{", ".join(names)}\n{", ".join(row)}\n'.encode()


def _foreign(extension: str):
  return lambda data: foreign.read(str(_written(f'a.{extension}', data)))


_HEAD = b'{"kind": "person", "format_version": 1, "sha256": "", "model": {'
# Name: what parses, and a well-made input.
PARSERS = {
  'landmarks': (
    lambda data: landmarks.load_landmarks(_written('a.npz', data)),
    lambda: _npz(points=np.random.rand(1, 68, 2), times=np.zeros(1)),
  ),
  'array': (
    lambda data: landmarks.load_landmarks(_written('a.npy', data)),
    _npy,
  ),
  'openface': (
    lambda data: landmarks.load_landmarks(_written('a.csv', data)),
    _openface,
  ),
  'kind': (lambda data: kinds.kind_of(_written('a', data)), _png),
  'tensors': (
    lambda data: tensors.load_tree(str(_written('a.safetensors', data))),
    _safetensors,
  ),
  'onnx': (_foreign('onnx'), _onnx),
  'pickle': (
    _foreign('ckpt'),
    lambda: pickle.dumps({'a': {'b': np.zeros(2, np.float32)}}, 3),
  ),
  'dlib': (_foreign('dat'), _dlib),
  'person': (_person, lambda: _HEAD + b'"image_size": 64}, "info": {}}'),
  'experiment': (_experiment, lambda: b'{"seed": 1, "model": {"a": [0.5]}}'),
  'description': (
    _description,
    lambda: (
      b'{"pythonClassName": "x", "splits": [{"filepathTemplate": "{A}"}]}'
    ),
  ),
  'record': (_record, _good_record),
  'image': (lambda data: image.read_image(_written('a.png', data)), _png),
  'video': (_video, _mp4),
  'answers': (
    lambda data: study.read_answers(_written('a.json', data)),
    lambda: (
      b'{"answers": [{"participant": "0123456789abcdef",'
      b' "triplet": "0123456789abcdef", "chosen": 1}]}'
    ),
  ),
  'identities': (
    lambda data: video_folder._read_identities(_written('a.csv', data)),
    lambda: b'video,identity\na,b\n',
  ),
  'certificates': (
    lambda data: identity._chain(_written('a.pem', data)),
    lambda: identity.make_identity().chain,
  ),
  'credentials': (
    _credentials,
    lambda: (
      b'{"active_manifest": "a", "manifests": {"a": {"assertions":'
      b' [{"label": "c2pa.actions", "data": {"actions": [{}]}}],'
      b' "signature_info": {"issuer": "x"}}}, "validation_status":'
      b' [{"code": "signingCredential.untrusted"}]}'
    ),
  ),
  'convention': (
    lambda data: convention.from_json('a', data.decode('utf-8', 'replace')),
    lambda: b'{"channels": "RGB", "low": 0, "high": 255}',
  ),
  'code': (_code, lambda: bytes(codes.NUM_CODE_BITS)),
}


def _fuzz(name: str, seconds: int) -> None:
  parse, seed = PARSERS[name]
  corpus = _SCRATCH / 'corpus'
  corpus.mkdir()
  (corpus / 'seed').write_bytes(seed())

  def one(data: bytes) -> None:
    try:
      parse(data)
    except UserError as error:
      assert len(str(error).splitlines()) == 1, str(error)

  arguments = [
    f'-max_total_time={seconds}',
    '-rss_limit_mb=3000',
    '-timeout=20',
  ]
  arguments += ['-verbosity=0', '-print_final_stats=1', '-max_len=20000']
  atheris.Setup([sys.argv[0], *arguments, str(corpus)], one)
  atheris.Fuzz()


def main():
  """Each parser in a process of its own: libFuzzer ends its process."""
  names, seconds = [a for a in sys.argv[1:] if not a.isdigit()], _SECONDS
  for number in (a for a in sys.argv[1:] if a.isdigit()):
    seconds = int(number)
  if len(names) == 1 and len(sys.argv) == 4 and sys.argv[3] == '0':
    _fuzz(names[0], int(sys.argv[2]))
    return
  failed = []
  for name in names or PARSERS:
    print(f'== {name}', flush=True)
    command = [sys.executable, '-m', 'tests.fuzz.parsers', name, str(seconds)]
    if subprocess.call([*command, '0']):
      failed.append(name)
  print(f'failed: {failed}' if failed else 'all of them hold')
  sys.exit(bool(failed))


if __name__ == '__main__':
  main()
