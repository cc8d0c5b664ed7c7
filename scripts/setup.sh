# Sourced by the other scripts: makes sure that there is an environment, and activates it.
#
#   LSEG_VENV         folder of the virtual environment (default: .venv in the repository)
#   LSEG_TORCH_INDEX  package index for torch and torchvision, such as that of the CPU-only builds;
#                     by default they come from pip's own index, which runs on machines with and
#                     without a GPU
#   PYTHON            the Python to build it with, 3.11 or newer (default: python3)

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="${LSEG_VENV:-$root/.venv}"

lseg_setup() { # $1: extras, such as "[dev]"
  local extras="$1" python="${PYTHON:-python3}" wanted
  wanted="$(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum) $extras ${LSEG_TORCH_INDEX:-}"
  if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
      echo "lseg needs Python 3.11 or newer; name one with PYTHON=..." >&2
      exit 2
    fi
    echo "creating the environment $venv (once, a few minutes)"
    "$python" -m venv "$venv"
  fi
  # Bytecode is compiled when a module is first imported: most of what torch brings never is. Each
  # command would compile again, for about as long as it takes to run, were it not written down.
  unset PYTHONDONTWRITEBYTECODE
  if ! grep -qxF "$wanted" "$venv/lseg-installed" 2>/dev/null; then
    if [ -n "${LSEG_TORCH_INDEX:-}" ]; then
      "$venv/bin/pip" install -q --no-compile --index-url "$LSEG_TORCH_INDEX" \
        $(grep -E '^torch(vision)?==' "$root/constraints.txt")
    fi
    "$venv/bin/pip" install -q --no-compile -c "$root/constraints.txt" -e "$root$extras"
    echo "$wanted" >> "$venv/lseg-installed"
  fi
  export PATH="$venv/bin:$PATH"
}
