<?php
/* SPDX-License-Identifier: GPL-2.0-or-later
 * The first part of wp-config.php; docker-entrypoint.sh adds keys of the site's own. */

/* The database, as the container's environment has it at each start. */
define('DB_NAME', getenv('WORDPRESS_DB_NAME') ?: 'wordpress');
define('DB_USER', getenv('WORDPRESS_DB_USER') ?: 'wordpress');
define('DB_PASSWORD', getenv('WORDPRESS_DB_PASSWORD') ?: '');
define('DB_HOST', getenv('WORDPRESS_DB_HOST') ?: 'mysql');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
$table_prefix = getenv('WORDPRESS_TABLE_PREFIX') ?: 'wp_';

/* A proxy in front speaks TLS with the browser, and says so. */
if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https')
	$_SERVER['HTTPS'] = 'on';

/* A new WordPress is a new image. */
define('AUTOMATIC_UPDATER_DISABLED', true);
