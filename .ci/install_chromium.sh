#!/bin/sh
# Get Chromium for the browser tests where it is missing and can be had; never a reason to fail: they skip without it.
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Chromium is not installed and there is no apt-get: the browser tests will be skipped."
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "Chromium is not installed and installing it needs root: the browser tests will be skipped."
    exit 0
fi
echo "Installing Chromium for the browser tests ..."
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
options="-qq -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Dpkg::Use-Pty=0"
if ! { $as_root apt-get update $options && $as_root apt-get install -y $options --no-install-recommends chromium; } \
    </dev/null >"$log" 2>&1; then
    tail -n 3 "$log"
    echo "Chromium could not be installed: the browser tests will be skipped."
fi
rm -f "$log"
exit 0
