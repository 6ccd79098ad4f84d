#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes wp-config.php if there is none, then becomes Apache. It waits for nothing: a database that is not there yet is
# looked for at each request.
#   WORDPRESS_DB_HOST      name or address of the database, with :PORT if it is not 3306 (mysql)
#   WORDPRESS_DB_USER      (wordpress)
#   WORDPRESS_DB_PASSWORD
#   WORDPRESS_DB_NAME      (wordpress)
#   WORDPRESS_TABLE_PREFIX (wp_)
set -eu

# What reads the environment, and secrets of this site alone
config() {
	cat /usr/local/share/wordpress/wp-config.php
	for key in AUTH SECURE_AUTH LOGGED_IN NONCE; do
		for kind in KEY SALT; do
			echo "define('${key}_$kind', '$(php -r 'echo bin2hex(random_bytes(32));')');"
		done
	done
	echo "require_once ABSPATH . 'wp-settings.php';"
}

if [ "${1-}" = apache2 ]; then
	if [ ! -e wp-config.php ]; then
		config >wp-config.new
		chown www-data:www-data wp-config.new
		chmod 640 wp-config.new
		mv wp-config.new wp-config.php
	fi
	export APACHE_CONFDIR=/etc/apache2
	. /etc/apache2/envvars
	mkdir -p "$APACHE_RUN_DIR" "$APACHE_LOCK_DIR"
	rm -f "$APACHE_PID_FILE"
fi
exec "$@"
