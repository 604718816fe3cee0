"""Installs launch/ as flaxheads.launch; all else is in setup.cfg."""

import sys

from setuptools import find_packages, setup

packages = find_packages(include=['flaxheads', 'flaxheads.*'])
package_dir = {'': './'}
# An editable install is a path to the clone, where launch/ is found as it is.
if 'editable_wheel' not in sys.argv:
  packages.append('flaxheads.launch')
  package_dir['flaxheads.launch'] = 'launch'

setup(packages=packages, package_dir=package_dir)
