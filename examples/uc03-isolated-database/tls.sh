#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Teaches nginx-proxy HTTPS: a certificate of its own making, and proxy.conf, copied into the running container.
set -eu
docker=${DOCKER:-docker}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost \
	-keyout "$work/tls/key.pem" -out "$work/tls/cert.pem" 2>/dev/null
"$docker" cp "$work/tls" nginx-proxy:/etc/nginx/tls
"$docker" cp "$here/proxy.conf" nginx-proxy:/etc/nginx/conf.d/proxy.conf
"$docker" exec nginx-proxy nginx -s reload
