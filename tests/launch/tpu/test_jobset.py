"""The manifest for GKE is a JobSet, and says what it should."""

import copy
import re

import pytest
import yaml

from launch.tpu import _types
from tests.launch.commands import ROOT, call
from tests.launch.tpu.conftest import TRAINING
from tests.launch.tpu.jobset_schema import JOB_SET

TYPE = '--accelerator_type=v5litepod-64'
ARGUMENTS = ('--name=heads', '--image=example.org/flaxheads:v1', *TRAINING)


def _errors(value, schema, path=''):
  if type(value) is not schema['type']:
    return [f'{path}: {value!r} is no {schema["type"].__name__}']
  if value not in schema.get('choices', [value]):
    return [f'{path}: {value!r} is not one of {schema["choices"]}']
  if not re.fullmatch(schema.get('pattern', '(?s:.*)'), str(value)):
    return [f'{path}: {value!r} does not match']
  errors = []
  if schema['type'] is list:
    for index, item in enumerate(value):
      errors += _errors(item, schema['items'], f'{path}[{index}]')
  if schema['type'] is dict:
    known = schema.get('properties', {})
    rest = schema.get('values')
    errors += [
      f'{path}: no {k}' for k in schema.get('required', []) if k not in value
    ]
    for key, item in value.items():
      if key in known or rest:
        errors += _errors(item, known.get(key, rest), f'{path}.{key}')
      else:
        errors.append(f'{path}: unknown field {key}')
  return errors


def _manifest(*arguments):
  done = call('tpu.jobset', *ARGUMENTS, *(arguments or (TYPE,)))
  assert (done.code, done.err) == (0, '')
  return yaml.safe_load(done.out)


def _job(manifest):
  (replicated,) = manifest['spec']['replicatedJobs']
  return replicated['template']['spec']


def _pod(manifest):
  return _job(manifest)['template']['spec']


@pytest.fixture(scope='module')
def manifest():
  return _manifest()


def test_it_keeps_to_the_schema(manifest):
  assert _errors(manifest, JOB_SET) == []


def _places(value, path=()):
  """Paths of all fields whose names are given by the schema."""
  if isinstance(value, list):
    value = dict(enumerate(value))
  if isinstance(value, dict):
    for key, item in value.items():
      free = path and path[-1] in ('annotations', 'nodeSelector', 'limits')
      if isinstance(key, str) and not free and path[-1:] != ('requests',):
        yield (*path, key)
      yield from _places(item, (*path, key))


def test_any_misspelt_field_is_seen(manifest):
  places = list(_places(manifest))
  assert len(places) > 40
  for *path, key in places:
    bad = copy.deepcopy(manifest)
    holder = bad
    for step in path:
      holder = holder[step]
    holder[f'{key}x'] = holder.pop(key)
    assert any(f'unknown field {key}x' in e for e in _errors(bad, JOB_SET))


@pytest.mark.parametrize(
  'path, value',
  [
    (('apiVersion',), 'jobset.x-k8s.io/v1alpha1'),
    (('metadata', 'name'), 'Heads'),
    (('spec', 'failurePolicy', 'maxRestarts'), '20'),
    (('spec', 'failurePolicy', 'rules', 0, 'action'), 'Restart'),
    (('spec', 'failurePolicy', 'rules', 0, 'onJobFailureReasons'), ['Lost']),
    (('spec', 'replicatedJobs', 0, 'replicas'), None),
  ],
)
def test_wrong_values_are_seen(manifest, path, value):
  bad = copy.deepcopy(manifest)
  holder = bad
  for step in path[:-1]:
    holder = holder[step]
  holder[path[-1]] = value
  assert _errors(bad, JOB_SET)


@pytest.mark.parametrize('name', _types.TYPES)
def test_one_process_a_host_on_one_slice(name):
  manifest = _manifest(f'--accelerator_type={name}')
  kind = _types.TYPES[name]
  job, pod = _job(manifest), _pod(manifest)
  assert job['parallelism'] == job['completions'] == kind.hosts
  assert job['backoffLimit'] == 0
  (container,) = pod['containers']
  chips = {'google.com/tpu': str(kind.chips // kind.hosts)}
  assert container['resources'] == {'requests': chips, 'limits': chips}
  assert pod['nodeSelector'] == {
    'cloud.google.com/gke-tpu-accelerator': kind.gke_accelerator,
    'cloud.google.com/gke-tpu-topology': kind.topology,
    'cloud.google.com/gke-spot': 'true',
  }
  assert _errors(manifest, JOB_SET) == []


def test_a_loss_and_exit_code_75_restart_it_for_free(manifest):
  saved, lost = _job(manifest)['podFailurePolicy']['rules']
  assert (saved['action'], saved['onExitCodes']['values']) == ('FailJob', [75])
  assert lost['onPodConditions'][0]['type'] == 'DisruptionTarget'
  policy = manifest['spec']['failurePolicy']
  (rule,) = policy['rules']
  assert rule['action'] == 'RestartJobSetAndIgnoreMaxRestarts'
  assert rule['onJobFailureReasons'] == ['PodFailurePolicy']
  assert policy['maxRestarts'] == 20
  pod = _pod(manifest)
  assert pod['restartPolicy'] == 'Never'  # podFailurePolicy allows no other
  assert saved['onExitCodes']['containerName'] == pod['containers'][0]['name']


def test_a_bucket_is_mounted():
  manifest = _manifest(TYPE, '--bucket=heads')
  assert _errors(manifest, JOB_SET) == []
  pod = _pod(manifest)
  (volume,), (container,) = pod['volumes'], pod['containers']
  (mount,) = container['volumeMounts']
  assert mount['name'] == volume['name']
  assert (mount['mountPath'], mount['readOnly']) == ('/bucket', True)
  assert volume['csi']['volumeAttributes']['bucketName'] == 'heads'
  metadata = _job(manifest)['template']['metadata']
  assert metadata['annotations'] == {'gke-gcsfuse/volumes': 'true'}


def test_flags_reach_the_manifest(tmp_path):
  path = tmp_path / 'heads.yaml'
  flags = ('--nospot', '--max_restarts=3', '--grace_seconds=60')
  more = ('--service_account=trainer', '--train_flag=--config.x=$(A) b')
  done = call('tpu.jobset', *ARGUMENTS, TYPE, *flags, *more, f'--output={path}')
  assert (done.code, done.err) == (0, '')
  manifest = yaml.safe_load(path.read_text())
  pod = _pod(manifest)
  assert _errors(manifest, JOB_SET) == []
  assert 'cloud.google.com/gke-spot' not in pod['nodeSelector']
  assert manifest['spec']['failurePolicy']['maxRestarts'] == 3
  assert pod['terminationGracePeriodSeconds'] == 60
  assert pod['serviceAccountName'] == 'trainer'
  assert pod['containers'][0]['command'] == [
    *('python', '-m', 'launch.train', '--config=configs/tiny.py'),
    *('--workdir=gs://bucket/runs/heads', '--distributed'),
    '--config.x=$$(A) b',  # else Kubernetes would look for a variable A
  ]


@pytest.mark.parametrize(
  'arguments, message',
  [
    ((), '--accelerator_type is missing'),
    ((TYPE, '--image='), '--image is missing'),
    (('--accelerator_type=v5e-64',), "'v5e-64' is not one of v4-8"),
    ((TYPE, '--max_restarts=-1'), '--max_restarts: -1 is too small'),
    ((TYPE, '--workdir=/tmp'), '--workdir: /tmp would go with the TPU'),
    ((TYPE, '--bucket=gs://heads'), '--bucket: gs://heads is no name'),
    ((TYPE, '--output=/no/such/folder/x'), '--output: /no/such/folder/x: No'),
  ],
)
def test_a_mistake_is_one_line(arguments, message):
  done = call('tpu.jobset', *ARGUMENTS, *arguments)
  assert (done.code, done.out, done.err.count('\n')) == (2, '', 1)
  assert message in done.err


def test_the_image_holds_what_the_manifest_runs(manifest):
  text = (ROOT / 'launch' / 'tpu' / 'Dockerfile').read_text()
  copied = re.findall(r'^COPY (\S+) ', text, re.MULTILINE)
  assert copied and all((ROOT / path).exists() for path in copied)
  assert {'flaxheads', 'launch', 'configs', 'requirements.txt'} <= set(copied)
  assert _pod(manifest)['containers'][0]['command'][0] == 'python'
