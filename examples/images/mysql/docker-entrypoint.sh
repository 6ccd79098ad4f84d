#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the database in an empty /var/lib/mysql at the first start, as the variables say, then becomes mysqld.
#   MYSQL_ROOT_PASSWORD          needed at the first start
#   MYSQL_DATABASE               a database to make
#   MYSQL_USER, MYSQL_PASSWORD   a user who may do all in it
set -eu

data=/var/lib/mysql

refuse() {
	echo "docker-entrypoint.sh: $1" >&2
	exit 1
}

# A text as SQL writes it in quotes
quoted() {
	printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"
}

# What the new database is told; it is not asked for passwords yet
first_words() {
	root=$(quoted "$MYSQL_ROOT_PASSWORD")
	cat <<-END
		FLUSH PRIVILEGES;
		ALTER USER root@localhost IDENTIFIED BY $root;
		CREATE USER root@'%' IDENTIFIED BY $root;
		GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
	END
	[ -z "${MYSQL_DATABASE-}" ] || printf 'CREATE DATABASE `%s`;\n' "$MYSQL_DATABASE"
	[ -n "${MYSQL_USER-}" ] || return 0
	user="$(quoted "$MYSQL_USER")@'%'"
	printf '%s\n' "CREATE USER $user IDENTIFIED BY $(quoted "$MYSQL_PASSWORD");"
	[ -z "${MYSQL_DATABASE-}" ] ||
		printf 'GRANT ALL ON `%s`.* TO %s;\n' "$(printf %s "$MYSQL_DATABASE" | sed 's/_/\\_/g')" "$user"
}

# Everything is made in .new and moved up at its end: a start that was killed is made again
initialise() {
	rm -rf "$data/.new"
	[ -z "$(ls -A $data)" ] || refuse "$data has files in it, but no database"
	[ -n "${MYSQL_ROOT_PASSWORD-}" ] ||
		refuse "there is no database yet, and no password for its root: set MYSQL_ROOT_PASSWORD (docker run -e MYSQL_ROOT_PASSWORD=...)"
	[ "${MYSQL_USER-}" != root ] || refuse "MYSQL_USER=root: that user is there already, MYSQL_ROOT_PASSWORD is for it"
	[ -z "${MYSQL_USER-}" ] || [ -n "${MYSQL_PASSWORD-}" ] || refuse "MYSQL_USER needs MYSQL_PASSWORD"
	echo "docker-entrypoint.sh: making the database"
	said=$(mariadb-install-db --datadir=$data/.new --auth-root-authentication-method=normal --skip-test-db \
		--force) || refuse "$said"
	first_words | mysqld --datadir=$data/.new --bootstrap
	mv $data/.new/mysql $data/.mysql
	mv $data/.new/* $data
	rmdir $data/.new
	mv $data/.mysql $data/mysql
	echo "docker-entrypoint.sh: the database is made"
}

case ${1-} in
-*) set -- mysqld "$@" ;;
esac
if [ "${1-}" = mysqld ]; then
	case " $* " in
	*" --version "* | *" --help "*) exec "$@" ;;
	esac
	if [ "$(id -u)" = 0 ]; then
		find $data /run/mysqld ! -user mysql -exec chown mysql:mysql {} +
		exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" "$@"
	fi
	[ -d $data/mysql ] || initialise
	unset MYSQL_ROOT_PASSWORD MYSQL_PASSWORD
fi
exec "$@"
