"""A proxy of gcloud: records its calls and refuses what gcloud would refuse.

As a program it appends its arguments to `calls` in the folder GCLOUD_PROXY and
acts on `world.json` there: `queued` and `node` are states or null, `coming` the
next states of the queued resource, `then` those after the next creation,
`service` what the hosts answer about the service, `fails` how many of the
next calls fail. The grammar is that of `gcloud compute tpus ... --help`, Google
Cloud SDK 528.0.0.
"""

import json
import os
import sys

RUNTIMES = {'tpu-ubuntu2204-base', 'v2-alpha-tpuv5-lite', 'v2-alpha-tpuv6e'}
_SWITCHES = {'quiet', 'internal-ips', 'reserved', 'spot', 'force'}
# Of every command: the flags that it has, and those that it needs.
GRAMMAR = {
  ('queued-resources', 'create'): (
    'accelerator-type runtime-version node-id internal-ips network reserved'
    ' spot subnetwork',
    'zone accelerator-type runtime-version node-id',
  ),
  ('queued-resources', 'describe'): ('', 'zone'),
  ('queued-resources', 'delete'): ('async force', 'zone'),
  ('tpu-vm', 'describe'): ('', 'zone'),
  ('tpu-vm', 'ssh'): ('command worker internal-ip', 'zone command'),
}
_RUNS = (
  'service LoadState=loaded ActiveState=active ExecMainStatus=0'
  ' ExecMainExitTimestampMonotonic=0'
)


class Refused(Exception):
  """gcloud would not take these arguments."""


def parse(arguments):
  """Returns (kind, verb, flags); Refused if gcloud would refuse."""
  if arguments[:2] != ['compute', 'tpus'] or len(arguments) < 5:
    raise Refused(f'Invalid choice: {arguments}')
  kind, verb, _, *rest = arguments[2:]
  if (kind, verb) not in GRAMMAR:
    raise Refused(f'Invalid choice: {kind} {verb}')
  allowed, required = (text.split() for text in GRAMMAR[kind, verb])
  allowed += 'zone project format quiet'.split()
  flags = {}
  for word in rest:
    flag, equals, value = word.removeprefix('--').partition('=')
    if not word.startswith('--') or flag not in allowed:
      raise Refused(f'unrecognized arguments: {word}')
    if bool(equals) == (flag in _SWITCHES):
      raise Refused(f'argument --{flag}: a value too many or too few')
    flags[flag] = value
  if missing := [flag for flag in required if flag not in flags]:
    raise Refused(f'argument --{missing[0]}: Must be specified.')
  if flags.get('runtime-version', 'v2-alpha-tpuv6e') not in RUNTIMES:
    raise Refused('INVALID_ARGUMENT: runtime version unknown')
  return kind, verb, flags


def act(arguments, world):
  """Changes the world as gcloud would; returns what gcloud prints."""
  kind, verb, flags = parse(arguments)
  if world['fails']:
    world['fails'] -= 1
    raise Refused('There was a problem refreshing your tokens')
  if verb == 'describe':
    if kind == 'queued-resources' and world['coming']:
      world['queued'] = world['coming'].pop(0)
      world['node'] = 'READY' if world['queued'] == 'ACTIVE' else None
    state = world['node' if kind == 'tpu-vm' else 'queued']
    if state is None:
      raise Refused('NOT_FOUND: Resource was not found')
    return json.dumps(
      {'state': state if kind == 'tpu-vm' else {'state': state}}
    )
  if verb == 'ssh':
    if world['node'] != 'READY':
      raise Refused(f'TPU is not READY but {world["node"]}')
    if 'systemctl show' in flags['command']:
      return world['service']
    world['service'] = _RUNS
  if verb == 'create':
    if world['queued']:
      raise Refused('ALREADY_EXISTS')
    world.update(queued='ACCEPTED', coming=world['then'], then=[])
    world['service'] = 'service LoadState=not-found'
  if verb == 'delete':
    world.update(queued=None, node=None, coming=[])
  return ''


def main():
  folder = os.environ['GCLOUD_PROXY']
  with open(f'{folder}/calls', 'a', encoding='utf-8') as file:
    print(json.dumps(sys.argv[1:]), file=file)
  path = f'{folder}/world.json'
  with open(path, encoding='utf-8') as file:
    world = json.load(file)
  try:
    print(act(sys.argv[1:], world))
  except Refused as error:
    sys.exit(f'ERROR: (gcloud) {error}')
  finally:
    with open(path, 'w', encoding='utf-8') as file:
      json.dump(world, file)


if __name__ == '__main__':
  main()
