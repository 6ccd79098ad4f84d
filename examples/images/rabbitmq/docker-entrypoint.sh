#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# docker-entrypoint.sh - the variables into the configuration, a cookie of its own for each broker, then the
# server as the user rabbitmq, and as process 1
set -e
if [ "$1" = rabbitmq-server ] && [ "$(id -u)" = 0 ]; then
	shift
	{
		echo "default_user = ${RABBITMQ_DEFAULT_USER:-guest}"
		echo "default_pass = ${RABBITMQ_DEFAULT_PASS:-guest}"
		echo "default_vhost = ${RABBITMQ_DEFAULT_VHOST:-/}"
	} >/etc/rabbitmq/conf.d/10-defaults.conf
	chown rabbitmq:rabbitmq /etc/rabbitmq/conf.d/10-defaults.conf
	chmod 600 /etc/rabbitmq/conf.d/10-defaults.conf
	cookie=/var/lib/rabbitmq/.erlang.cookie
	[ -s "$cookie" ] || (umask 077 && openssl rand -base64 42 >"$cookie")
	chown -R rabbitmq:rabbitmq /var/lib/rabbitmq
	export HOME=/var/lib/rabbitmq RUNNING_UNDER_SYSTEMD=1 # the shell makes way for the server
	exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups /usr/lib/rabbitmq/bin/rabbitmq-server "$@"
fi
exec "$@"
