#!/usr/bin/env bash
# Installs this checkout on a TPU VM and starts the training as a service.
#
#   bash launch/tpu/worker.sh DATA FLAGS...
#
# DATA is a folder in Cloud Storage to copy to data_dir, or ''; FLAGS are those
# of launch.train. A second call installs what changed and restarts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
data=$1
shift

# The TPU images have Python 3.10; uv brings a newer one.
if [[ ! -x .uv/uv ]]; then
  curl -LsSf https://astral.sh/uv/0.13.8/install.sh |
    env UV_UNMANAGED_INSTALL="$PWD/.uv" sh >/dev/null
fi
[[ -x .venv/bin/python ]] || .uv/uv venv --quiet --python=3.12 .venv
# gcsfs reads and writes gs:// for Orbax and tensorboardX.
.uv/uv pip install --quiet --python=.venv/bin/python \
  --requirement=requirements.txt 'jax[tpu]' gcsfs

if [[ -n "$data" ]]; then
  mkdir -p data_dir
  gcloud storage rsync --recursive --quiet "$data" data_dir
fi

printf 'exec .venv/bin/python -m launch.train --distributed%s\n' \
  "$(printf ' %q' "$@")" >command.sh
sed "s|^\[Service\]|&\nUser=$(id -un)|; s|/opt/flaxheads|$PWD|" \
  launch/tpu/flaxheads.service |
  sudo tee /etc/systemd/system/flaxheads.service >/dev/null
sudo systemctl daemon-reload
sudo systemctl enable --quiet flaxheads.service
sudo systemctl reset-failed flaxheads.service 2>/dev/null || true
sudo systemctl restart flaxheads.service
