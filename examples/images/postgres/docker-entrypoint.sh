#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a database cluster in an empty $PGDATA, then runs the server as the user postgres.
#
# POSTGRES_PASSWORD  the superuser's password; without it nothing is made
# POSTGRES_USER      the superuser's name (postgres)
# POSTGRES_DB        a database to make (as the user is called)
# POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD (scram-sha-256; "trust" needs no password)
# Each of the first three may be NAME_FILE instead: a file that holds the value.
# /docker-entrypoint-initdb.d: *.sh, *.sql and *.sql.gz are run once, in the order of their names.
set -euo pipefail

from_file() {
	local name=$1 file=${1}_FILE
	if [ -n "${!file:-}" ]; then
		[ -z "${!name:-}" ] || { echo "error: both $name and $file are set" >&2; exit 1; }
		export "$name=$(<"${!file}")"
		unset "$file"
	fi
}

refuse_without_password() {
	[ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ] || return 0
	cat >&2 <<-'END'
		Error: this database is empty, and no password for its superuser is given.
		       Say -e POSTGRES_PASSWORD=SOMETHING on "docker run".
		       POSTGRES_HOST_AUTH_METHOD=trust makes a database that asks nobody
		       for a password: not for anything that others can reach.
	END
	exit 1
}

make_cluster() {
	local args
	read -ra args <<<"${POSTGRES_INITDB_ARGS:-}"
	initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${args[@]}"
	printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
}

sql() {
	psql -v ON_ERROR_STOP=1 --no-psqlrc --username="$POSTGRES_USER" "$@"
}

# The server of this moment listens on its socket file alone: nobody else meets half a database.
fill_cluster() {
	local file
	pg_ctl -w -o "-c listen_addresses=''" start
	if [ "$POSTGRES_DB" != postgres ]; then
		sql --dbname=postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
	fi
	for file in /docker-entrypoint-initdb.d/*; do
		case $file in
		*.sh) echo "running $file"; bash "$file" ;;
		*.sql) echo "running $file"; sql --dbname="$POSTGRES_DB" -f "$file" ;;
		*.sql.gz) echo "running $file"; gunzip -c "$file" | sql --dbname="$POSTGRES_DB" ;;
		esac
	done
	pg_ctl -w -m fast stop
	echo "PostgreSQL init process complete; ready for start up."
}

case ${1:-} in
-*) set -- postgres "$@" ;;
esac
if [ "${1:-}" != postgres ]; then
	exec "$@"
fi
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA"
	chmod 700 "$PGDATA"
	find "$PGDATA" ! -user postgres -exec chown postgres:postgres {} +
	install -d -o postgres -g postgres -m 2775 /var/run/postgresql
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	from_file POSTGRES_PASSWORD
	from_file POSTGRES_USER
	: "${POSTGRES_PASSWORD:=}" "${POSTGRES_USER:=postgres}" "${POSTGRES_HOST_AUTH_METHOD:=scram-sha-256}"
	from_file POSTGRES_DB
	: "${POSTGRES_DB:=$POSTGRES_USER}"
	refuse_without_password
	export POSTGRES_USER POSTGRES_DB PGPASSWORD="$POSTGRES_PASSWORD"
	make_cluster
	fill_cluster
	unset PGPASSWORD
fi
exec "$@"
