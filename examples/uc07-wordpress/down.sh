#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes down what run.sh has made. The volumes, with the posts and the files, stay; --volumes takes them too.
set -eu

docker rm -f nginx-proxy wordpress-app wordpress-redis wordpress-mysql
docker network rm wordpress-frontend wordpress-backend
if [ "${1-}" = --volumes ]; then
	docker volume rm wordpress-db wordpress-files
fi
