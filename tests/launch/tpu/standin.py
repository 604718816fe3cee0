"""A stand-in for gcloud: records its calls, refuses what gcloud would refuse.

As a program, it appends its arguments to `calls` in the folder FOLDER, acts on
`world.json` there, and answers from it. The grammar is written from `gcloud
compute tpus ... --help` of Google Cloud SDK 528.0.0, independently of what
launch/tpu makes use of.

The world: `queued` and `node` are states or null, `coming` the states that a
queued resource has at the next looks, `service` the answer of every host,
`type` the accelerator type, `fails` a list of [part of the arguments, message,
exit code, how often].
"""

import json
import os
import sys

# Hosts of the types that are asked for, by the pages of Google.
HOSTS = {
  'v4-8': 1,
  'v4-16': 2,
  'v4-32': 4,
  'v4-64': 8,
  'v5litepod-8': 1,
  'v5litepod-16': 4,
  'v5litepod-32': 8,
  'v5litepod-64': 16,
  'v5litepod-128': 32,
  'v5litepod-256': 64,
  'v6e-8': 1,
  'v6e-16': 4,
  'v6e-32': 8,
  'v6e-64': 16,
}
RUNTIMES = {'tpu-ubuntu2204-base', 'v2-alpha-tpuv5-lite', 'v2-alpha-tpuv6e'}

_EVERYWHERE = 'zone project format quiet'
_CREATE = (
  'accelerator-type async data-disk description internal-ips labels metadata'
  ' metadata-from-file network range reserved scopes service-account'
  ' shielded-secure-boot spot subnetwork tags '
)
_SWITCHES = set(
  'quiet async internal-ips reserved spot force internal-ip'.split()
)
# For every command: the flags it has, those that it must be given.
GRAMMAR = {
  ('queued-resources', 'create'): (
    _CREATE + 'runtime-version node-id node-count node-prefix guaranteed'
    ' valid-after-duration valid-after-time valid-until-duration'
    ' valid-until-time',
    'zone accelerator-type runtime-version node-id',
  ),
  ('queued-resources', 'describe'): ('', 'zone'),
  ('queued-resources', 'delete'): ('async force', 'zone'),
  ('tpu-vm', 'create'): (
    _CREATE + 'version preemptible',
    'zone accelerator-type version',
  ),
  ('tpu-vm', 'describe'): ('', 'zone'),
  ('tpu-vm', 'delete'): ('async', 'zone'),
  ('tpu-vm', 'ssh'): (
    'command worker internal-ip plain ssh-flag ssh-key-file'
    ' strict-host-key-checking output-directory force-key-file-overwrite',
    'zone command',
  ),
}
_RUNS = (
  'service LoadState=loaded ActiveState=active Result=success'
  ' ExecMainStatus=0 ExecMainExitTimestampMonotonic=0'
)


class Refused(Exception):
  """gcloud would not take these arguments."""


def parse(arguments):
  """Returns (kind, verb, name, flags); Refused if gcloud would refuse."""
  if arguments[:2] != ['compute', 'tpus'] or len(arguments) < 4:
    raise Refused(f'Invalid choice: {arguments}')
  kind, verb, *rest = arguments[2:]
  if (kind, verb) not in GRAMMAR:
    raise Refused(f'Invalid choice: {kind} {verb}')
  allowed, required = (text.split() for text in GRAMMAR[kind, verb])
  allowed += _EVERYWHERE.split()
  names = [word for word in rest if not word.startswith('--')]
  flags = {}
  for word in rest:
    if word.startswith('--'):
      flag, equals, value = word[2:].partition('=')
      if flag not in allowed:
        raise Refused(f'unrecognized arguments: --{flag}')
      if bool(equals) == (flag in _SWITCHES):
        raise Refused(f'argument --{flag}: a value too many or too few')
      flags[flag] = value
  if len(names) != 1:
    raise Refused(f'unrecognized arguments: {names[1:]}')
  if missing := [flag for flag in required if flag not in flags]:
    raise Refused(f'argument --{missing[0]}: Must be specified.')
  kind_of = flags.get('accelerator-type')
  if kind_of and kind_of not in HOSTS:
    raise Refused(f'INVALID_ARGUMENT: accelerator type {kind_of} unknown')
  runtime = flags.get('runtime-version', flags.get('version'))
  if runtime and runtime not in RUNTIMES:
    raise Refused(f'INVALID_ARGUMENT: runtime version {runtime} unknown')
  return kind, verb, names[0], flags


def _describe(kind, world):
  if kind == 'tpu-vm':
    state = world['node']
    shown = {'state': state}
  else:
    if world['coming']:
      world['queued'] = world['coming'].pop(0)
      if world['queued'] == 'ACTIVE':
        world['node'] = 'READY'
    state = world['queued']
    shown = {'state': {'state': state}}
    if state == 'FAILED':
      shown['state']['failedData'] = {'error': {'message': 'no quota'}}
  if state is None:
    raise Refused('NOT_FOUND: Resource was not found')
  return json.dumps(shown)


def _ssh(flags, world):
  if world['node'] != 'READY':
    raise Refused(f'TPU is not READY but {world["node"]}')
  hosts = HOSTS[world['type']] if flags.get('worker') == 'all' else 1
  script = flags['command']
  if 'systemctl show' in script:
    return '\n'.join([world['service']] * hosts)
  if 'systemctl restart' in script:
    world['service'] = _RUNS
  return '\n'.join([script.split()[0]] * hosts)


def act(arguments, world):
  """Changes the world as gcloud would; returns what gcloud prints."""
  kind, verb, _, flags = parse(arguments)
  for failure in world['fails']:
    part, message, code, times = failure
    if times and any(part in word for word in arguments):
      failure[3] -= 1
      print(message, file=sys.stderr)
      raise SystemExit(code)
  if verb == 'describe':
    return _describe(kind, world)
  if verb == 'ssh':
    return _ssh(flags, world)
  if verb == 'create':
    if world['queued'] or world['node']:
      raise Refused('ALREADY_EXISTS')
    world.update(type=flags['accelerator-type'], coming=world.pop('then'))
    world.update(then=[], service='service LoadState=not-found')
    if kind == 'tpu-vm':
      world.update(node='READY', coming=[])
    else:
      world['queued'] = 'ACCEPTED'
  if verb == 'delete':
    if kind == 'queued-resources' and 'force' not in flags:
      raise Refused('queued resource has nodes')
    world.update(queued=None, node=None, coming=[])
  return ''


def main():
  folder = os.environ['GCLOUD_STANDIN']
  with open(f'{folder}/calls', 'a', encoding='utf-8') as file:
    print(json.dumps(sys.argv[1:]), file=file)
  path = f'{folder}/world.json'
  with open(path, encoding='utf-8') as file:
    world = json.load(file)
  try:
    print(act(sys.argv[1:], world))
  except Refused as error:
    where = '.'.join(sys.argv[1:5])
    print(f'ERROR: (gcloud.{where}) {error}', file=sys.stderr)
    raise SystemExit(2 if 'rgument' in str(error) else 1) from None
  finally:
    with open(path, 'w', encoding='utf-8') as file:
      json.dump(world, file)


if __name__ == '__main__':
  main()
