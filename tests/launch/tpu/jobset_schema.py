"""The part of the JobSet resource that a training makes use of, as a schema.

Fields, types and required fields of
config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml in
github.com/kubernetes-sigs/jobset, commit 01078527, and of the Job and Pod of
Kubernetes that it embeds. Unlike there, a field that is not listed is an
error: the API server would drop it in silence.
"""

_NAME = r'[a-z]([-a-z0-9]{0,61}[a-z0-9])?'
_INTEGER, _STRING, _BOOLEAN = ({'type': t} for t in (int, str, bool))
_STRINGS = {'type': dict, 'values': _STRING}


def _object(required='', **properties):
  return {
    'type': dict,
    'required': required.split(),
    'properties': properties,
  }


def _list(items):
  return {'type': list, 'items': items}


def _enum(*choices):
  return {'type': str, 'choices': choices}


_METADATA = _object(
  name={'type': str, 'pattern': _NAME}, labels=_STRINGS, annotations=_STRINGS
)
_RESOURCES = _object(requests=_STRINGS, limits=_STRINGS)
_CONTAINER = _object(
  'name image',
  name=_STRING,
  image=_STRING,
  command=_list(_STRING),
  args=_list(_STRING),
  env=_list(_object('name', name=_STRING, value=_STRING)),
  ports=_list(_object('containerPort', containerPort=_INTEGER, name=_STRING)),
  resources=_RESOURCES,
  volumeMounts=_list(
    _object(
      'name mountPath', name=_STRING, mountPath=_STRING, readOnly=_BOOLEAN
    )
  ),
)
_CSI = _object(
  'driver', driver=_STRING, readOnly=_BOOLEAN, volumeAttributes=_STRINGS
)
_POD = _object(
  'containers',
  restartPolicy=_enum('Always', 'OnFailure', 'Never'),
  terminationGracePeriodSeconds=_INTEGER,
  serviceAccountName=_STRING,
  hostNetwork=_BOOLEAN,
  nodeSelector=_STRINGS,
  containers=_list(_CONTAINER),
  volumes=_list(_object('name', name=_STRING, csi=_CSI)),
)
_POD_RULE = _object(
  'action',
  action=_enum('FailJob', 'FailIndex', 'Ignore', 'Count'),
  onExitCodes=_object(
    'operator values',
    containerName=_STRING,
    operator=_enum('In', 'NotIn'),
    values=_list(_INTEGER),
  ),
  onPodConditions=_list(
    _object('type status', type=_STRING, status=_enum('True', 'False'))
  ),
)
_JOB = _object(
  'template',
  completionMode=_enum('Indexed', 'NonIndexed'),
  parallelism=_INTEGER,
  completions=_INTEGER,
  backoffLimit=_INTEGER,
  podFailurePolicy=_object('rules', rules=_list(_POD_RULE)),
  template=_object(metadata=_METADATA, spec=_POD),
)
_RULE = _object(
  'action name',
  name={'type': str, 'pattern': '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?'},
  action=_enum(
    'FailJobSet', 'RestartJobSet', 'RestartJobSetAndIgnoreMaxRestarts'
  ),
  onJobFailureReasons=_list(
    _enum(
      *('BackoffLimitExceeded', 'DeadlineExceeded', 'FailedIndexes'),
      *('MaxFailedIndexesExceeded', 'PodFailurePolicy'),
    )
  ),
  targetReplicatedJobs=_list(_STRING),
)
JOB_SET = _object(
  'apiVersion kind metadata spec',
  apiVersion=_enum('jobset.x-k8s.io/v1alpha2'),
  kind=_enum('JobSet'),
  metadata=_METADATA,
  spec=_object(
    'replicatedJobs',
    failurePolicy=_object(
      maxRestarts=_INTEGER,
      restartStrategy=_enum('Recreate', 'BlockingRecreate'),
      rules=_list(_RULE),
    ),
    replicatedJobs=_list(
      _object(
        'name template',
        name={'type': str, 'pattern': _NAME},
        replicas=_INTEGER,
        template=_object(metadata=_METADATA, spec=_JOB),
      )
    ),
  ),
)
