"""Looks for known vulnerabilities of the pinned requirements, with pip-audit.

Run by `make audit`. Exits 1 where there is one. Where no vulnerability service
can be reached (PyPI's, as mirrors have none, and OSV), nothing was audited: it
says so, and exits 0, for a machine without internet is no vulnerability.
"""

import json
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_SERVICES = ('pypi', 'osv')
_SECONDS = 300


def _audit(requirements, service):
  """Dependencies as pip-audit lists them; [] where it can not."""
  command = [sys.executable, '-m', 'pip_audit', '--disable-pip', '--no-deps']
  command += ['-f', 'json', '-s', service, '-r', requirements]
  try:
    done = subprocess.run(
      command, capture_output=True, text=True, timeout=_SECONDS
    )
    return json.loads(done.stdout)['dependencies']
  except (subprocess.TimeoutExpired, ValueError, KeyError):
    return []


def main():
  for service in _SERVICES:
    found = _audit(str(_ROOT / 'requirements.txt'), service)
    audited = [each for each in found if 'skip_reason' not in each]
    if audited:
      break
  if not audited:
    print('NOT AUDITED: no vulnerability service can be reached from here')
    return 0
  for each in found:
    if 'skip_reason' in each:
      print(f'{each["name"]}: not audited')
    for known in each.get('vulns', ()):
      better = ', '.join(known['fix_versions']) or 'none yet'
      print(
        f'{each["name"]} {each["version"]}: {known["id"]}; mended in {better}'
      )
  vulnerable = [each for each in audited if each['vulns']]
  print(f'{len(audited)} audited, {len(vulnerable)} vulnerable ({service})')
  return 1 if vulnerable else 0


if __name__ == '__main__':
  sys.exit(main())
