#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# certificates.sh - certificates that nobody but you trusts, to try the use case with: production's where certbot
# would put them, and staging's in nginx-staging.conf. What is there already stays as it is.
set -eu
cd "$(dirname "$0")"

# self_signed NAME CERTIFICATE KEY
self_signed()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
		-subj "/CN=$1" -addext "subjectAltName=DNS:$1" -out "$2" -keyout "$3" 2>/dev/null
}

live=/etc/letsencrypt/live/www.example.com
if [ ! -e $live ]; then
	mkdir -p $live
	self_signed www.example.com $live/fullchain.pem $live/privkey.pem
fi

if [ ! -e nginx-staging.conf ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	self_signed staging.example.com "$dir/certificate" "$dir/key"
	awk -v dir="$dir" '
	function file(name,   line, text) {
		while ((getline line < (dir "/" name)) > 0)
			text = text line "\n"
		return text
	}
	/@CERTIFICATE@/ { sub(/@CERTIFICATE@/, file("certificate")) }
	/@KEY@/ { sub(/@KEY@/, file("key")) }
	{ print }' nginx-staging.conf.in >"$dir/conf"
	mv "$dir/conf" nginx-staging.conf
	chmod 600 nginx-staging.conf
fi
