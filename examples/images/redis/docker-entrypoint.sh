#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs redis-server as the user redis. Options may stand alone: `docker run redis --appendonly yes`.
set -eu
case ${1:-} in
-* | *.conf) set -- redis-server "$@" ;;
esac
if [ "${1:-}" != redis-server ]; then
	exec "$@"
fi
if [ "$(id -u)" = 0 ]; then
	find . ! -user redis -exec chown redis:redis {} +
	exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
umask 0077
shift
case ${1:-} in
*.conf) ;;
# The container's network is the protection: who may reach the port may talk. A configuration file decides for itself.
*) set -- --protected-mode no "$@" ;;
esac
exec redis-server "$@"
