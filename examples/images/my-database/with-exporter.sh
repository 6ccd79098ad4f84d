#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The exporter beside the database; it asks by the socket file at each scrape, and says pg_up 0 until the database is there.
set -eu
export DATA_SOURCE_NAME="host=/var/run/postgresql user=${POSTGRES_USER:-postgres} dbname=postgres sslmode=disable"
setpriv --reuid=postgres --regid=postgres --init-groups prometheus-postgres-exporter --log.level=warn &
unset DATA_SOURCE_NAME
exec docker-entrypoint.sh "$@"
