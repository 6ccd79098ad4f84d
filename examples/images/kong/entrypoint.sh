#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Turns the variables of the Dockerfile into nginx's words, makes a certificate if there is none, becomes nginx.
set -eu

state=/var/lib/kong
run=/run/gateway
mkdir -p $run $state/tls
chmod 700 $state/tls

listen() { # "a, b ssl" -> a line each
	[ "$1" = off ] || printf '%s\n' "$1" | tr ',' '\n' | sed 's/^ */listen /; s/ *$/;/'
}

certificate() { # a CA that signs once, and what it signs
	cd $state/tls
	umask 077
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=CA of $(hostname)" \
		-addext keyUsage=critical,keyCertSign -keyout ca-key.pem -out ca.pem
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$(hostname)" -keyout key.pem -out request.pem
	echo "subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:$(hostname)${GATEWAY_TLS_NAMES:+,$GATEWAY_TLS_NAMES}" >names
	openssl x509 -req -days 3650 -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile names -out new.pem
	rm ca-key.pem request.pem names ca.srl
	mv new.pem cert.pem
}

if [ -z "${KONG_SSL_CERT:-}" ]; then
	[ -f $state/tls/cert.pem ] || (certificate 2>/dev/null)
	KONG_SSL_CERT=$state/tls/cert.pem KONG_SSL_CERT_KEY=$state/tls/key.pem
fi
printf 'ssl_certificate %s;\nssl_certificate_key %s;\n' "$KONG_SSL_CERT" "$KONG_SSL_CERT_KEY" >$run/tls.conf

# names are looked up at each request where the container looks them up: a service may get a new address
server=$(sed -n 's/^nameserver *//p' /etc/resolv.conf | head -n 1)
case $server in *:*) server="[$server]" ;; esac
echo "resolver ${server:-127.0.0.11} valid=1s;" >$run/resolver.conf

listen "$KONG_PROXY_LISTEN" >$run/proxy.conf
rm -f $run/admin-server.conf
if [ "$KONG_ADMIN_LISTEN" != off ]; then
	listen "$KONG_ADMIN_LISTEN" >$run/admin.conf
	cat >$run/admin-server.conf <<-END
		server {
			include $run/admin.conf;
			location / {
				content_by_lua_block { require("admin").answer() }
			}
		}
	END
fi
exec nginx -g 'daemon off;'
