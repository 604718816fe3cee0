"""Whether two preparations say the same."""

import hashlib
from pathlib import Path

from array_record.python import array_record_module
from tensorflow_datasets.proto import tf_example_pb2


def of_records(path: Path) -> str:
  """Of every byte of every field in a file of records.

  Not of the file's: protobuf writes the fields of a record in any order.
  """
  digest = hashlib.sha256()
  for record in array_record_module.ArrayRecordReader(str(path)).read_all():
    example = tf_example_pb2.Example.FromString(record)
    digest.update(example.SerializeToString(deterministic=True))
  return digest.hexdigest()
