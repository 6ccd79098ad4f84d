#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes down what run.sh has made, with the database's volume.
set -eu

docker rm -f -v api-gateway web-ui api-server postgres-db
docker network rm frontend-net backend-net database-net
