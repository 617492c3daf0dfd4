#!/bin/sh
# Make .venv with the first Python that the pinned requirements have builds for.
without_venv=
for name in ${BLOODCELL_PYTHON:-} python3.11 python3.12 python3.13 python3 python; do
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        if ! "$name" -c 'import ensurepip, venv' 2>/dev/null; then
            without_venv=$name
            continue
        fi
        echo "Making .venv with $("$name" --version) ..."
        rm -rf .venv
        "$name" -m venv .venv && exit 0
        rm -rf .venv
        exit 1
    fi
done
if [ -n "$without_venv" ]; then
    echo "error: $without_venv lacks the module venv. On Debian and Ubuntu: apt install python3-venv" >&2
else
    found=$(python3 --version 2>/dev/null || echo "no python3 at all")
    echo "error: Bloodcell needs Python 3.11, 3.12 or 3.13 (TensorFlow 2.21 has no build for others). Found: $found." >&2
    echo "       If one lies elsewhere: make run BLOODCELL_PYTHON=/path/to/python3.12" >&2
fi
exit 1
