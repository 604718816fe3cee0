r"""Writes a JobSet for GKE: the training on one slice, restarted after loss.

python -m launch.tpu.jobset --name=heads --accelerator_type=v5litepod-64 \
  --image=REGION-docker.pkg.dev/PROJECT/REPOSITORY/flaxheads:TAG \
  --config=configs/voxceleb2_256.py --workdir=gs://BUCKET/runs/heads \
  --output=heads.yaml
kubectl apply -f heads.yaml

The image is that of launch/tpu/Dockerfile. The cluster needs the JobSet
controller and a node pool of the slice's type and topology.
"""

import pathlib

import yaml
from absl import flags

from flaxheads.errors import UserError, check_range
from launch import app
from launch.tpu import _flags, _types

_NAME = _flags.name_flag()
_TYPE = flags.DEFINE_string(
  'accelerator_type', None, 'Say v5litepod-64 or tpu7x-2x2x4.'
)
_TRAINING = _flags.training_flags()
_IMAGE = flags.DEFINE_string('image', None, 'Container image with the code.')
_SPOT = flags.DEFINE_bool('spot', True, 'On nodes that may be preempted.')
_ACCOUNT = flags.DEFINE_string(
  'service_account', '', 'Kubernetes account that may use the bucket.'
)
_RESTARTS = flags.DEFINE_integer(
  'max_restarts', 20, 'After failures that are not the loss of a node.'
)
_GRACE = flags.DEFINE_integer(
  'grace_seconds', 300, 'For saving; spot nodes give 15 unless told otherwise.'
)
_OUTPUT = flags.DEFINE_string('output', '', 'File; default: standard output.')

_BUCKET = flags.DEFINE_string(
  'bucket', '', 'Name of a bucket to mount at /bucket, read-only: the records.'
)

_CONTAINER = 'train'
_MOUNT = 'bucket'


def _pod(kind, training, image, grace_seconds, spot, service_account):
  chips = {'google.com/tpu': str(kind.chips_per_host)}
  selector = {
    'cloud.google.com/gke-tpu-accelerator': kind.gke_accelerator,
    'cloud.google.com/gke-tpu-topology': kind.topology,
  }
  if spot:
    selector['cloud.google.com/gke-spot'] = 'true'
  account = {'serviceAccountName': service_account} if service_account else {}
  return {
    'restartPolicy': 'Never',  # podFailurePolicy wants it
    'terminationGracePeriodSeconds': grace_seconds,
    'nodeSelector': selector,
    **account,
    'containers': [
      {
        'name': _CONTAINER,
        'image': image,
        # Kubernetes puts a variable in the place of $(NAME).
        'command': [
          word.replace('$(', '$$(') for word in training.command('python')
        ],
        'env': [{'name': 'PYTHONUNBUFFERED', 'value': '1'}],
        'ports': [{'containerPort': 8471}],  # between the chips' hosts
        'resources': {'requests': chips, 'limits': dict(chips)},
      }
    ],
  }


# A Job whose pod was lost or has saved fails at once, with a reason of its
# own; any other failure exhausts backoffLimit.
_POD_FAILURES = {
  'rules': [
    {
      'action': 'FailJob',
      'onExitCodes': {
        'containerName': _CONTAINER,
        'operator': 'In',
        'values': [app.GO_ON_LATER],
      },
    },
    {
      'action': 'FailJob',
      'onPodConditions': [{'type': 'DisruptionTarget', 'status': 'True'}],
    },
  ]
}


def _mount(pod, bucket):
  """Puts a bucket into a pod, by Cloud Storage FUSE of GKE."""
  (container,) = pod['containers']
  container['volumeMounts'] = [
    {'name': _MOUNT, 'mountPath': '/bucket', 'readOnly': True}
  ]
  attributes = {'bucketName': bucket, 'mountOptions': 'implicit-dirs'}
  csi = {
    'driver': 'gcsfuse.csi.storage.gke.io',
    'readOnly': True,
    'volumeAttributes': attributes,
  }
  pod['volumes'] = [{'name': _MOUNT, 'csi': csi}]
  return {'metadata': {'annotations': {'gke-gcsfuse/volumes': 'true'}}}


def _job(hosts, pod, bucket):
  metadata = _mount(pod, bucket) if bucket else {}
  return {
    'completionMode': 'Indexed',
    'parallelism': hosts,
    'completions': hosts,
    'backoffLimit': 0,  # one lost host ends all: they compute together
    'podFailurePolicy': _POD_FAILURES,
    'template': {**metadata, 'spec': pod},
  }


def _job_set(name, job, max_restarts):
  # All hosts in one node pool, for a slice is one.
  key = 'alpha.jobset.sigs.k8s.io/exclusive-topology'
  annotations = {key: 'cloud.google.com/gke-nodepool'}
  lost = {
    'name': 'lostOrSaved',
    'action': 'RestartJobSetAndIgnoreMaxRestarts',
    'onJobFailureReasons': ['PodFailurePolicy'],
  }
  return {
    'apiVersion': 'jobset.x-k8s.io/v1alpha2',
    'kind': 'JobSet',
    'metadata': {'name': name, 'annotations': annotations},
    'spec': {
      'failurePolicy': {'maxRestarts': max_restarts, 'rules': [lost]},
      'replicatedJobs': [
        {'name': 'slice', 'replicas': 1, 'template': {'spec': job}}
      ],
    },
  }


def _write(text):
  if not _OUTPUT.value:
    print(text, end='')
    return
  path = pathlib.Path(_OUTPUT.value).expanduser()
  try:
    path.write_text(text, encoding='utf-8')
  except OSError as error:
    raise UserError(f'--output: {path}: {error.strerror}') from error
  print(f'{path}: kubectl apply -f {path}')


def main():
  """Writes the manifest."""
  name, training = _NAME(), _TRAINING()
  app.check_given(_TYPE, _IMAGE)
  kind = _types.for_gke(_TYPE.value)
  if '/' in _BUCKET.value:
    raise UserError(f'--bucket: {_BUCKET.value} is no name; leave out gs://')
  check_range('--max_restarts', _RESTARTS.value, low=0)
  check_range('--grace_seconds', _GRACE.value, low=0)
  pod = _pod(
    *(kind, training, _IMAGE.value),
    *(_GRACE.value, _SPOT.value, _ACCOUNT.value),
  )
  manifest = _job_set(
    name, _job(kind.hosts, pod, _BUCKET.value), _RESTARTS.value
  )
  _write(yaml.safe_dump(manifest, sort_keys=False, width=80))


if __name__ == '__main__':
  app.run(main)
